export { type Controller, createController } from "./controller.ts";
export { type ControllerServer, handleRunner, serveController } from "./serve.ts";
export { Spool } from "./spool.ts";
