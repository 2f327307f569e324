export { type Listening, listenSocket, listenTcp } from "./listen.ts";
