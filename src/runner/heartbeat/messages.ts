import type { LogLevel } from "../../base/log.ts";
import type { Directive, RegistrationAccepted } from "../../protocol/index.ts";
import type { ClientTls } from "../wire/tls.ts";
import type { RunnerState } from "./loop.ts";

/** To the thread that sends heartbeats. `session` is null while the runner is not registered. */
export type ToHeartbeat =
  | { readonly type: "start"; readonly controllerUrl: string; readonly tls: ClientTls }
  | { readonly type: "state"; readonly state: RunnerState; readonly session: RegistrationAccepted | null }
  | { readonly type: "session"; readonly session: RegistrationAccepted };

/** From it. `ask` is answered by `state`, `register` by `session`. */
export type FromHeartbeat =
  | { readonly type: "ask" }
  | { readonly type: "register" }
  | { readonly type: "lost"; readonly sessionId: string }
  | { readonly type: "beat" }
  | { readonly type: "directive"; readonly directive: Directive; readonly session: RegistrationAccepted }
  | {
      readonly type: "log";
      readonly level: LogLevel;
      readonly message: string;
      readonly facts: Record<string, unknown>;
    };
