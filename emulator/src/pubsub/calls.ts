import type { PubSubError } from './errors.ts';

/** One RPC as its handler sees it, whatever carries it. */
export interface Call {
  /** `Subscribe` */
  readonly rpc: string;
  readonly rpcId: string;
  readonly userId: string;
  readonly token: string;
  fail(error: PubSubError): void;
  /** Breaks the connection, without a word. */
  drop(): void;
}

export interface StreamCall<Response> extends Call {
  /** False: enough is on its way, `drained` tells when there is room again. */
  send(response: Response): boolean;
  end(): void;
}

/** What a stream's handler is told. Nothing after `closed`. */
export interface StreamHandler<Request> {
  request(message: Request): void;
  drained(): void;
  /** The client will ask for nothing more. */
  halfClosed(): void;
  /** However it ended, whoever ended it. */
  closed(): void;
}
