import { newId } from "../base/ids.ts";
import type { Log } from "../base/log.ts";
import {
  Challenge,
  type RegistrationAccepted,
  RegistrationAccepted as RegistrationAcceptedSchema,
  ROUTES,
  type SigningKey,
  signRegistration,
} from "../protocol/index.ts";
import type { EffectiveConfig } from "./config.ts";
import { registration } from "./registration.ts";
import type { Sandboxes } from "./sandbox-choice.ts";
import type { Client } from "./wire/client.ts";
import { Session } from "./wire/session.ts";

interface Needs {
  readonly client: Client;
  readonly config: EffectiveConfig;
  readonly sandboxes: Sandboxes;
  /** Of the executable. */
  readonly digest: string;
  readonly version: string | undefined;
  readonly identity: SigningKey;
  readonly enrolmentToken: string | null;
  readonly timeoutMs: number;
  readonly onRegistered: (registered: RegistrationAccepted) => void;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly random: () => number;
}

/** A session that registers with what the host has proven, signed over a fresh challenge each time. */
export function openSession(needs: Needs): Session {
  const { client, timeoutMs } = needs;
  return new Session({
    register: async (signal) => {
      const { challenge } = await client.call({
        timeoutMs,
        path: ROUTES.challenge,
        token: null,
        body: { messageId: newId() },
        answer: Challenge,
        signal,
      });
      const about = registration(needs.config, needs.sandboxes, needs.digest, needs.version);
      return await client.call({
        timeoutMs,
        path: ROUTES.register,
        token: needs.enrolmentToken,
        body: signRegistration({ ...about, challenge }, needs.identity),
        answer: RegistrationAcceptedSchema,
        signal,
      });
    },
    onRegistered: needs.onRegistered,
    log: needs.log,
    signal: needs.signal,
    random: needs.random,
  });
}
