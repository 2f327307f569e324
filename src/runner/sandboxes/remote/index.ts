export { cubeSandbox } from "./cubesandbox.ts";
export { kubernetesSandbox } from "./kubernetes.ts";
