/// libstdc++ counts references without atomic instructions while this variable of glibc, there since 2.32, is
/// true. An addon runs beside the threads of Node.js anyway; so it has one of its own that is false, and
/// loads on an older glibc.
extern "C" {
extern __attribute__((visibility("hidden"))) char __libc_single_threaded;
char __libc_single_threaded = 0;
}
