import { answerQuestion } from "./answer.ts";

export const inboxOperations = { answerQuestion } as const;
