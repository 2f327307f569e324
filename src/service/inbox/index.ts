import { answerQuestion } from "./answer.ts";
import { listInbox } from "./list.ts";
import { resolveInbox } from "./resolve.ts";
import { showInbox } from "./show.ts";

export const inboxOperations = { listInbox, answerQuestion, showInbox, resolveInbox } as const;
