/** By these the module hands in what is no class of ours. */
export const JOURNAL = Symbol('journal');
export const CREDENTIALS = Symbol('credentials');
export const SETTINGS = Symbol('settings');
export const ANSWER_KEYS = Symbol('answer keys');
export const LOG = Symbol('log');

export interface Settings {
  /** Address of the clearing house. */
  readonly gatewayUrl: string;
  /** Domain seconds per wall second, as the record was opened with. */
  readonly speed: number;
  /** Aborted when the process begins to end. */
  readonly closing: AbortSignal;
}
