export { listenGateway, listenSocket } from "./listen.ts";
