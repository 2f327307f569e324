import type { Plan } from "./examples.ts";

const PET: Plan = { input: { petId: 1 } };
const SEARCH: Plan = { input: { searchQuery: "luke" } };

const vitals = "com.fake-hospital.vitals.measurements";
const temperature = (value: number) => ({ type: `${vitals}.temperature`, data: { temperature: value } });
const bpm = (value: number) => ({ type: `${vitals}.bpm`, data: { bpm: value } });
const reading = (kind: string) => ({
  source: "https://my.home.com/sensor",
  type: `my.home.sensors.${kind}`,
  roomid: "kitchen",
  data: { reading: 21 },
});

const TRIGGER = { type: "io.serverlessworkflow.samples.events.trigger.v1", data: { name: "Ann" } };

/** What each example needs beside its document. Those that are not here run on `{}` and complete. */
export const PLANS: Readonly<Record<string, Plan>> = {
  "accumulate-room-readings.yaml": {
    events: [reading("temperature"), reading("humidity")],
    ends: "faulted",
    note: "its `output.as` reads `.data` of an array: the output of `listen` is the array of what was consumed",
  },
  "authentication-bearer-uri-format.yaml": { input: { petId: 1, token: "abc" } },
  "authentication-bearer.yaml": { input: { token: "abc" } },
  "authentication-oauth2-secret.yaml": PET,
  "authentication-oauth2.yaml": PET,
  "authentication-oidc-secret.yaml": PET,
  "authentication-oidc.yaml": PET,
  "authentication-reusable.yaml": { input: { petId: 1, token: "abc" } },
  "call-asyncapi-publish.yaml": { input: { pet: { id: 1 }, token: "abc" }, services: true },
  "call-asyncapi-subscribe-consume-amount.yaml": { services: true },
  "call-asyncapi-subscribe-consume-forever-foreach.yaml": { services: true },
  "call-asyncapi-subscribe-consume-until.yaml": { services: true },
  "call-asyncapi-subscribe-consume-while.yaml": { services: true },
  "call-grpc.yaml": { input: { user: { preferredDisplayName: "Ann" } }, services: true },
  "call-http-endpoint-interpolation-shorthand.yaml": PET,
  "call-http-endpoint-interpolation.yaml": { input: { petId: 1, pet: { petId: 1 } } },
  "call-http-query-headers-expressions.yaml": SEARCH,
  "call-http-query-parameters.yaml": SEARCH,
  "call-http-redirect.yaml": SEARCH,
  "call-mcp.yaml": { services: true, note: "with a program in the place of what `npx` would fetch" },
  "conditional-task.yaml": { input: { customer: { age: 20 } } },
  "do-multiple.yaml": PET,
  "do-single.yaml": PET,
  "for.yaml": {
    input: { vet: "Ann", pets: [{ id: 1 }] },
    events: [{ type: "com.fake.petclinic.pets.checkup.completed.v2" }],
    ends: "faulted",
    note: "its `output.as` reads `.pets` of an array, as above",
  },
  "listen-to-all read-envelope.yaml": { events: [temperature(39), bpm(70), bpm(50)] },
  "listen-to-all.yaml": { events: [temperature(39), bpm(50)] },
  "listen-to-any-filter.yaml": { events: [temperature(37), bpm(120)] },
  "listen-to-any-forever-foreach.yaml": {
    input: { roomId: 1 },
    events: [{ type: "gossip", data: "psst" }],
    ends: "waiting",
    note: "listens for ever, as it says",
  },
  "listen-to-any-until-condition.yaml": { events: [bpm(1), bpm(2), bpm(3), bpm(4)] },
  "listen-to-any-until-consumed.yaml": {
    events: [temperature(39), { type: "com.fake-hospital.patient.checked-out" }],
  },
  "listen-to-any.yaml": { events: [temperature(39)] },
  "listen-to-one.yaml": {
    events: [{ type: "com.virtual-wf-powered-race.events.race.started.v1" }],
    ends: "faulted",
    note: "its address needs `{carId}`, and the task's input is the array of events",
  },
  "raise-inline.yaml": { ends: "faulted", note: "as it says" },
  "raise-reusable.yaml": { ends: "faulted", note: "as it says" },
  "run-subflow.yaml": {
    publish: [
      {
        document: { dsl: "1.0.3", namespace: "test", name: "register-customer", version: "0.1.0" },
        do: [{ register: { set: { registered: "${ .customer }" } } }],
      },
    ],
  },
  "schedule-cron.yaml": { advanceMs: 12_900_000, note: "started by its schedule" },
  "schedule-event-driven.yaml": {
    events: [
      {
        type: "com.example.hospital.events.patients.heartbeat.low",
        data: { patient: { id: 1, name: "Ann", room: { number: 7 }, vitals: { bpm: 30 } }, timestamp: "now" },
      },
    ],
    note: "started by its schedule",
  },
  "set-expression.yaml": { events: [TRIGGER], note: "started by its schedule" },
  "set.yaml": { events: [TRIGGER], note: "started by its schedule" },
  "star-wars-homeworld.yaml": { input: { id: 1 } },
  "try-catch-retry-inline.yaml": PET,
  "try-catch-retry-reusable.yaml": PET,
  "try-catch-then.yaml": PET,
  "try-catch.yaml": PET,
  "wait-duration-inline.yaml": { advanceMs: 3_600_000 },
  "wait-duration-iso8601.yaml": { advanceMs: 3_600_000 },
};
