export { MEMBERS_TYPE } from "./call.ts";
export { ACTING_HEADER } from "./caller.ts";
export { type ListenOptions, listenGateway, listenSocket } from "./listen.ts";
