# The native addon, built by node-gyp (`node native/build.mjs --tool=gyp`); CMakeLists.txt is the same for cmake-js, with
# the reasons for every flag. Keep both alike.
{
  'variables': {
    # Where CUDA is, if a probe compiled and linked with its nvcc; else nothing.
    'cuda_home%': '<!(node native/find-cuda.mjs)',
    'nvcc%': '<!(node native/find-cuda.mjs --nvcc)',
  },
  'targets': [
    {
      'target_name': 'pike_mixer',
      'dependencies': ["<!(node -p \"require('node-addon-api').targets\"):node_addon_api_except"],
      'include_dirs': ['native'],
      'defines': ['NAPI_VERSION=9', 'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS'],
      'sources': [
        'native/addon/adam_metric_call.cpp',
        'native/addon/addon.cpp',
        'native/addon/buffer_pool.cpp',
        'native/addon/build_info.cpp',
        'native/addon/cancellation_object.cpp',
        'native/addon/device_moments_job.cpp',
        'native/addon/device_rows.cpp',
        'native/addon/device_stream_object.cpp',
        'native/addon/device_tools.cpp',
        'native/addon/environment.cpp',
        'native/addon/executor.cpp',
        'native/addon/gradient_memory.cpp',
        'native/addon/host_tools.cpp',
        'native/addon/inputs.cpp',
        'native/addon/lease_table.cpp',
        'native/addon/moment_stream_object.cpp',
        'native/addon/moments_job.cpp',
        'native/addon/owned_memory.cpp',
        'native/addon/promise_job.cpp',
        'native/addon/results.cpp',
        'native/addon/sliced_copy.cpp',
        'native/addon/sliced_read.cpp',
        'native/addon/staged_call.cpp',
        'native/addon/watched_arrays.cpp',
        'native/core/control_groups.cpp',
        'native/core/layout.cpp',
        'native/core/memory.cpp',
        'native/cpu/adam_metric.cpp',
        'native/cpu/blocks.cpp',
        'native/cpu/instruction_set.cpp',
        'native/cpu/kernels.cpp',
        'native/cpu/kernels_avx2.cpp',
        'native/cpu/kernels_avx512.cpp',
        'native/cpu/kernels_neon.cpp',
        'native/cpu/kernels_portable.cpp',
        'native/cpu/memory_probe.cpp',
        'native/cpu/metric.cpp',
        'native/cpu/moment_stream.cpp',
        'native/cpu/moments.cpp',
        'native/cpu/own_processor.cpp',
        'native/cpu/pair_sums.cpp',
        'native/cpu/products.cpp',
        'native/cpu/short_turns.cpp',
        'native/cpu/task_sums.cpp',
        'native/cpu/thread_pool.cpp',
      ],
      'cflags_cc!': ['-fno-rtti', '-std=gnu++17'],
      'cflags_cc': ['-std=c++20', '-O3', '-fvisibility=hidden', '-fvisibility-inlines-hidden', '-Wall', '-Wextra',
                    '-ffp-contract=off', '-fno-math-errno'],
      'xcode_settings': {
        'CLANG_CXX_LANGUAGE_STANDARD': 'c++20',
        'GCC_ENABLE_CPP_RTTI': 'YES',
        'GCC_OPTIMIZATION_LEVEL': '3',
        'GCC_SYMBOLS_PRIVATE_EXTERN': 'YES',
        'MACOSX_DEPLOYMENT_TARGET': '11.0',
        'OTHER_CPLUSPLUSFLAGS': ['-ffp-contract=off', '-fno-math-errno'],
      },
      'msvs_settings': {
        'VCCLCompilerTool': {
          'AdditionalOptions': ['/std:c++20', '/fp:precise'],
          'RuntimeTypeInfo': 'true',
        },
      },
      'conditions': [
        ['OS=="linux"', {'ldflags': ['-Wl,-z,nodelete']}],
        ['cuda_home!=""', {
          'variables': {
            # What nvcc is told in compiling as well as in linking: architectures, compression, and the host's flags.
            'nvcc_flags': [
              '<!@(node native/cuda-architectures.mjs --flags)',
              '-cudart=static',
            ],
            'conditions': [
              ['OS=="win"', {
                'object': 'obj',
                'nvcc_flags': ['-Xcompiler=/MD,/O2'],
              }, {
                'object': 'o',
                'nvcc_flags': ['-Xcompiler=-fPIC,-fvisibility=hidden,-fvisibility-inlines-hidden,-Wall,-Wextra,'
                               '-ffp-contract=off,-fno-math-errno'],
              }],
            ],
          },
          'sources': [
            'native/cuda/check_metric.cu',
            'native/cuda/context.cpp',
            'native/cuda/engine.cpp',
            'native/cuda/finish.cu',
            'native/cuda/kernels_bfloat16.cu',
            'native/cuda/kernels_float16.cu',
            'native/cuda/kernels_float32.cu',
            'native/cuda/launch.cu',
            'native/cuda/measurement.cu',
            'native/cuda/plan.cpp',
            'native/cuda/plan_cache.cpp',
            'native/cuda/probe.cpp',
            'native/cuda/runtime.cpp',
            'native/cuda/streamed.cu',
            'native/cuda/tools.cpp',
          ],
          'defines': ['PIKE_CUDA_ARCHITECTURES="<!(node native/cuda-architectures.mjs)"'],
          'rules': [
            {
              'rule_name': 'nvcc',
              'extension': 'cu',
              'inputs': ['<!@(node native/cuda-architectures.mjs --headers)'],
              'outputs': ['<(INTERMEDIATE_DIR)/<(RULE_INPUT_ROOT).cu.<(object)'],
              'action': [
                '<(nvcc)', '<@(nvcc_flags)', '-std=c++20', '-O3', '-Xptxas=--device-function-maxrregcount=48',
                '-Inative', '-rdc=true', '-c', '<(RULE_INPUT_PATH)', '-o', '<@(_outputs)',
              ],
              'process_outputs_as_sources': 1,
              'message': 'nvcc <(RULE_INPUT_PATH)',
            },
          ],
          'actions': [
            {
              'action_name': 'nvcc_device_link',
              'inputs': [
                '<(INTERMEDIATE_DIR)/check_metric.cu.<(object)',
                '<(INTERMEDIATE_DIR)/finish.cu.<(object)',
                '<(INTERMEDIATE_DIR)/kernels_bfloat16.cu.<(object)',
                '<(INTERMEDIATE_DIR)/kernels_float16.cu.<(object)',
                '<(INTERMEDIATE_DIR)/kernels_float32.cu.<(object)',
                '<(INTERMEDIATE_DIR)/launch.cu.<(object)',
                '<(INTERMEDIATE_DIR)/measurement.cu.<(object)',
                '<(INTERMEDIATE_DIR)/streamed.cu.<(object)',
              ],
              'outputs': ['<(INTERMEDIATE_DIR)/device_link.<(object)'],
              'action': ['<(nvcc)', '<@(nvcc_flags)', '-dlink', '<@(_inputs)', '-o', '<@(_outputs)'],
              'process_outputs_as_sources': 1,
              'message': 'nvcc -dlink',
            },
          ],
          'include_dirs': ['<(cuda_home)/include'],
          'conditions': [
            ['OS=="win"', {
              'libraries': ['<(cuda_home)/lib/x64/cudart_static.lib'],
            }, {
              'libraries': ['-L<(cuda_home)/lib64', '-lcudart_static', '-lrt', '-lpthread', '-ldl'],
            }],
          ],
        }, {
          'sources': ['native/cuda/absent.cpp'],
        }],
      ],
    },
  ],
}
