/** What went wrong, for programs: the `code` of a `PikeError`. */
export type ErrorCode =
  /** An option is missing, of the wrong type, out of range or unknown. */
  | 'ERR_INVALID_OPTION'
  /** Rows, tensors, samples or weights do not have the shapes that belong together. */
  | 'ERR_SHAPE'
  /** Memory of a kind that is not supported, or kinds that are mixed. */
  | 'ERR_DTYPE'
  /** The memory behind a gradient is detached or resizable, so it cannot be read safely. */
  | 'ERR_DETACHED'
  /** Calls in an order that cannot be served, such as going back to an earlier task in one measurement. */
  | 'ERR_ORDER'
  /** The backend asked for cannot be had; the message holds every reason. */
  | 'ERR_NO_BACKEND'
  /** A variance needs at least two micro-batches. */
  | 'ERR_TOO_FEW_MICROBATCHES'
  /** A number that must be finite is not. */
  | 'ERR_NON_FINITE'
  /** Not enough memory for the shapes asked for. */
  | 'ERR_MEMORY'
  /** CUDA refused a call; the message holds its reason. */
  | 'ERR_CUDA'
  /** A GPU has failed for good as far as this process is concerned: only a new process can use it again. */
  | 'ERR_CUDA_FATAL'
  /** A source of samples failed, ended early, cannot be begun again, or holds what cannot be used; the message says where. */
  | 'ERR_SOURCE'
  /** A source of samples has given nothing for as long as `timeout` lets it. */
  | 'ERR_TIMEOUT'
  /** A saved state is of another version or shape, or damaged. */
  | 'ERR_STATE'
  /** A run log cannot be read, written or used: no such file, a full disk, nothing in it that begins a run, or a format of a later release. */
  | 'ERR_RUN_LOG'
  /** The caller's AbortSignal fired with a reason that is not an Error, or its thread is being terminated. */
  | 'ERR_ABORTED'
  /** The object was disposed. */
  | 'ERR_DISPOSED'
  /** A defect of the library itself: please report it. */
  | 'ERR_INTERNAL';

/**
 * The one error class of the library: every error that it throws on purpose. A message says what was wrong, what was
 * expected and what to do; `cause` holds the error beneath it, if there is one.
 */
export class PikeError extends Error {
  /** Always 'PikeError'. */
  override readonly name = 'PikeError';
  /** What a program checks. */
  readonly code: ErrorCode;

  /** @param options with the error beneath as `cause` */
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
