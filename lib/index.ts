/**
 * pike-mixer: how many samples of each data source go into the next training batch, decided while training
 * runs by PiKE (Li et al., NeurIPS 2025, arXiv 2502.06244).
 *
 * @module pike-mixer
 */
export type { BackendName } from './backends/backend.js';
export { GradientBuffer, type GradientBufferArray } from './backends/gradient-buffer.js';
export { type StatisticsOptions, statistics } from './backends/measure.js';
export type { BackendChoice } from './backends/select.js';
export { Allocator, type AllocatorOptions, type AllocatorState } from './batching/allocation.js';
export { type ErrorCode, PikeError } from './errors.js';
export type { DeviceDtype, DeviceGradient, DeviceTensor } from './gradients/device-gradient.js';
export type { Gradient } from './gradients/gradient.js';
export type {
  BufferedTensor,
  HalfTensor,
  HostGradient,
  HostTensor,
  TensorMemory,
} from './gradients/host-gradient.js';
export type { Dtype } from './gradients/layout.js';
export type { StateOrigin } from './mixer/backend-in-use.js';
export { Mixer } from './mixer/mixer.js';
export type { MeasureOptions, MixerOptions, ObserveOptions, UpdateOptions } from './mixer/options.js';
export type { Miss, MissReason, MixerEvents, MixerWarning, UpdateReport } from './mixer/report.js';
export type { MixerState, OptionsState } from './mixer/state.js';
export type * from './monitor/events.js';
export type { LoggedRun, ReadRunLogOptions, RunLogNotice } from './monitor/logged-run.js';
export { readRunLog, readRunLogs } from './monitor/read-run-log.js';
export { type Replay, replay } from './monitor/replay.js';
export type { ReplayChanges } from './monitor/replay-options.js';
export { RunLog, type RunLogOptions } from './monitor/run-log.js';
export { type ReportOptions, reportHtml } from './report/report-html.js';
export {
  type BalancedOptions,
  balanced,
  balancedLossWeights,
  type LossWeightOptions,
} from './rules/balanced.js';
export { type DoremiOptions, doremi } from './rules/baselines/doremi.js';
export { type FamoOptions, famo } from './rules/baselines/famo.js';
export {
  proportional,
  type SizesOptions,
  type TemperatureOptions,
  temperature,
} from './rules/baselines/fixed.js';
export { type OdmOptions, odm } from './rules/baselines/odm.js';
export { type ConceptualOptions, conceptual } from './rules/conceptual.js';
export { type GramianOptions, type GramianStatistics, gramian } from './rules/gramian.js';
export { type MirrorOptions, mirror } from './rules/mirror.js';
export { initialState, multiplyWeights } from './rules/own-rules.js';
export { type PikeOptions, pike } from './rules/pike.js';
export { withoutTask } from './rules/retirement.js';
export type {
  Json,
  RuleContext,
  RuleDefaults,
  RuleNeeds,
  RuleOptions,
  RuleResult,
  RuleState,
  WeightRule,
} from './rules/rule.js';
export { rules } from './rules/rules.js';
export type { BoundOptions, RuleStatistics, StatelessOptions } from './rules/stateless.js';
export { arraySource } from './sampling/array-source.js';
export { indexSpace, type OrderOptions } from './sampling/index-space.js';
export { iterableSource, onePassSource } from './sampling/iterable-source.js';
export { jsonLines, type LineFileOptions, type TextLinesOptions, textLines } from './sampling/line-file.js';
export {
  type MixedBatch,
  MixedSource,
  type MixedSourceOptions,
  type RestoreOptions,
} from './sampling/mixed-source.js';
export type { MixedSourceState, SourceState } from './sampling/mixed-state.js';
export type { SourceAccount } from './sampling/mixed-task.js';
export type { Policy } from './sampling/policy.js';
export { shuffled } from './sampling/shuffled.js';
export type { Cursor, Drawn, Pass, SampleSource, SourceInput } from './sampling/source.js';
export { loadState, saveState } from './sampling/state-file.js';
export type { StreamState } from './sampling/task-stream.js';
export type { Average } from './statistics/average.js';
export { type Conflict, conflict } from './statistics/conflict.js';
export type { AverageError } from './statistics/smoothed-errors.js';
export type { SmoothingState } from './statistics/smoothing.js';
export type { StandardErrors, Statistics } from './statistics/statistics.js';
