import { type Static, Type } from "@sinclair/typebox";
import { closed, Name } from "../../../protocol/index.ts";
import { ImageName } from "../../images/store.ts";

const Path = Type.String({ minLength: 1, maxLength: 4096, pattern: "^/" });
/** HTTPS, or plain HTTP to this host alone: tokens and environments go over it. */
const Address = Type.String({
  maxLength: 2048,
  pattern: "^(https://[^?#@]+|http://(127\\.0\\.0\\.1|localhost|\\[::1\\])(:[0-9]+)?/?)$",
});

/** `sandbox: kubernetes`: each task is a Job in one namespace. */
export const KubernetesConfig = closed({
  apiServer: Address,
  /** Bearer token; `/var/run/secrets/kubernetes.io/serviceaccount/token` inside a cluster. Read anew for each request. */
  tokenFile: Type.Optional(Path),
  /** PEM authority of the API server's certificate. */
  caFile: Type.Optional(Path),
  namespace: Type.String({ pattern: "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$" }),
  /** What tasks run in, by digest. It needs `/bin/sh`. */
  image: Type.String({ pattern: "^[a-z0-9][A-Za-z0-9._/:-]{0,255}@sha256:[0-9a-f]{64}$" }),
  /** The claim whose volume is this runner's data directory, so that both see the workspace. */
  volumeClaim: Type.String({ pattern: "^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$" }),
  /** User and group of the tasks; that of this runner, since both write the workspace. */
  user: Type.Optional(Type.Integer({ minimum: 1, maximum: 2_147_483_647 })),
  /** The namespace has a NetworkPolicy that closes the network of pods with `lightflow.dev/network: deny-all`. */
  networkPolicy: Type.Optional(Type.Boolean()),
});
export type KubernetesConfig = Static<typeof KubernetesConfig>;

/** `sandbox: cubesandbox`: each task is a micro-VM of a service that speaks E2B's API. */
export const CubeConfig = closed({
  url: Address,
  /** One address for all sandboxes, where the service does not give each a name of its own. */
  sandboxUrl: Type.Optional(Address),
  /** Which of `secrets` is the API key. */
  keyReference: Name,
  template: Name,
  /** Templates that stand for images: what `run.container` names, to the template that was made from it. */
  images: Type.Optional(Type.Record(ImageName, Name, { maxProperties: 256, additionalProperties: false })),
});
export type CubeConfig = Static<typeof CubeConfig>;
