/** gRPC status codes that this server answers with. */
export const Code = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
} as const;

/** Ends a call with a status; `trailers` are what EventStoreDB clients turn into typed errors. */
export class RpcError extends Error {
  override readonly name = 'RpcError';
  constructor(
    readonly code: number,
    message: string,
    readonly trailers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

export function invalidArgument(message: string): RpcError {
  return new RpcError(Code.invalidArgument, message);
}

export function accessDenied(message: string): RpcError {
  return new RpcError(Code.permissionDenied, message, { exception: 'access-denied' });
}

export function maximumAppendSizeExceeded(maxAppendSize: number): RpcError {
  return new RpcError(Code.invalidArgument, `Maximum Append Size of ${maxAppendSize} Exceeded.`, {
    exception: 'maximum-append-size-exceeded',
    'maximum-append-size': String(maxAppendSize),
  });
}

export function missingMetadata(name: string): RpcError {
  return new RpcError(Code.invalidArgument, `Required Metadata Property '${name}' is missing`, {
    exception: 'missing-required-metadata-property',
    'required-metadata-properties': 'type,content-type',
  });
}
