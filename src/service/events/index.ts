import { listEvents, listLanes, repairEvent, showEvent } from "./held.ts";
import { sendEvent } from "./send.ts";

export const eventOperations = {
  sendEvent,
  listInboxEvents: listEvents,
  showEvent,
  repairEvent,
  listLanes,
} as const;
