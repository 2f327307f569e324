import { answerQuestion } from "./answer.ts";
import { listInbox } from "./list.ts";

export const inboxOperations = { listInbox, answerQuestion } as const;
