import { type Static, Type } from "@sinclair/typebox";
import { closed, wordOf } from "./build.ts";
import { Uri } from "./text.ts";

/** `{use: name}` inside a scheme: the credentials come from the secret of that name. */
const FromSecret = closed({ use: Type.String({ minLength: 1 }) }, { $id: "AuthenticationFromSecret" });
export type AuthenticationFromSecret = Static<typeof FromSecret>;

const PasswordCredentials = Type.Union([
  closed({ username: Type.String(), password: Type.String() }),
  FromSecret,
]);

const OAuth2Token = closed({ token: Type.String(), type: Type.String() });

const oauth2Properties = {
  authority: Type.Optional(Uri),
  grant: Type.Optional(
    wordOf(
      "authorization_code",
      "client_credentials",
      "password",
      "refresh_token",
      "urn:ietf:params:oauth:grant-type:token-exchange",
    ),
  ),
  client: Type.Optional(
    closed({
      id: Type.Optional(Type.String()),
      secret: Type.Optional(Type.String()),
      assertion: Type.Optional(Type.String()),
      authentication: Type.Optional(
        wordOf("client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"),
      ),
    }),
  ),
  request: Type.Optional(
    closed({
      encoding: Type.Optional(wordOf("application/x-www-form-urlencoded", "application/json")),
    }),
  ),
  issuers: Type.Optional(Type.Array(Type.String())),
  scopes: Type.Optional(Type.Array(Type.String())),
  audiences: Type.Optional(Type.Array(Type.String())),
  username: Type.Optional(Type.String()),
  password: Type.Optional(Type.String()),
  subject: Type.Optional(OAuth2Token),
  actor: Type.Optional(OAuth2Token),
};

const OAuth2 = closed(
  {
    ...oauth2Properties,
    endpoints: Type.Optional(
      closed({
        token: Type.Optional(Type.String()),
        revocation: Type.Optional(Type.String()),
        introspection: Type.Optional(Type.String()),
      }),
    ),
  },
  { $id: "OAuth2Properties" },
);
export type OAuth2Properties = Static<typeof OAuth2>;

const OpenIdConnect = closed(oauth2Properties, { $id: "OpenIdConnectProperties" });
export type OpenIdConnectProperties = Static<typeof OpenIdConnect>;

const Basic = closed({ basic: PasswordCredentials });
const Bearer = closed({ bearer: Type.Union([closed({ token: Type.String() }), FromSecret]) });
const DigestScheme = closed({ digest: PasswordCredentials });
const OAuth2Scheme = closed({ oauth2: Type.Union([OAuth2, FromSecret]) });
const OpenIdConnectScheme = closed({ oidc: Type.Union([OpenIdConnect, FromSecret]) });

export const AuthenticationPolicy = Type.Union(
  [Basic, Bearer, DigestScheme, OAuth2Scheme, OpenIdConnectScheme],
  { $id: "AuthenticationPolicy" },
);
/** Exactly one of `basic`, `bearer`, `digest`, `oauth2`, `oidc`. */
export type AuthenticationPolicy = Static<typeof AuthenticationPolicy>;

export const AuthenticationReference = Type.Union(
  [
    closed({ use: Type.String({ minLength: 1 }) }),
    Basic,
    Bearer,
    DigestScheme,
    OAuth2Scheme,
    OpenIdConnectScheme,
  ],
  { $id: "AuthenticationReference" },
);
/** A policy, or `{use: name}` of one in `use.authentications`. */
export type AuthenticationReference = Static<typeof AuthenticationReference>;
