export { type Controller, createController } from "./controller.ts";
export { handleRunner, serveController } from "./serve.ts";
export { Spool } from "./spool.ts";
