/** Where a role listens: the flags of every command that does. */
export const HOST_FLAG = {
  type: "string",
  value: "ADDRESS",
  about: "address to listen on",
  defaultText: "127.0.0.1",
} as const;

export const portFlag = <Default extends string>(about: string, defaultText: Default) =>
  ({ type: "integer", value: "PORT", minimum: 0, maximum: 65_535, about, defaultText }) as const;
