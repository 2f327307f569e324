/** E2B's own client. The build compresses what stands here: nothing else of ours belongs in it. */
export { Sandbox } from "e2b";
