/**
 * The client of the Kubernetes project, without what reads kubeconfig files. The build compresses what stands here:
 * nothing else of ours belongs in it.
 */
export {
  ApiException,
  BatchV1Api,
  CoreV1Api,
  createConfiguration,
  type RequestContext,
  ResponseContext,
  ServerConfiguration,
  type V1DeleteOptions,
  type V1Job,
  type V1ObjectMeta,
  type V1Pod,
  type V1Secret,
  wrapHttpLibrary,
} from "@kubernetes/client-node/dist/gen/index.js";
export { ObjectSerializer } from "@kubernetes/client-node/dist/gen/models/ObjectSerializer.js";
