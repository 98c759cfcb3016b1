// What mmgat-stream hears, in Max. Beside this file: npm install (in Max: the message "script npm install").
//
//   [node.script mmgat.js tcp://127.0.0.1:5550 @autostart 1]
//   |
//   [route on off score level lost]
//
// on LABEL SCORE SOURCE    off LABEL SECONDS SOURCE    score LABEL SCORE SOURCE    level DBFS SOURCE    lost SECONDS
//
// Outside Max, "node mmgat.js tcp://127.0.0.1:5550" prints the same messages as lines.
"use strict";
const { Subscriber } = require("zeromq");
const { decode } = require("@msgpack/msgpack");

let max = null;
try { max = require("max-api"); } catch { /* not started by Max */ }
const outlet = max ? (...list) => max.outlet(...list) : (...list) => console.log(list.join(" "));

const PREFIX = "mmgat/v2/";
const STALE_MS = 3000;   // a status comes once a second
const last = new Map();  // session and topic -> highest seq
const on = new Map();    // source and label -> the event with which it began
let heardAt = Date.now(), stale = false;

function end(event, seconds) {
  on.delete(`${event.source}\n${event.label}`);
  outlet("off", event.label, seconds, event.source);
}

function take(topic, message) {
  const key = message.session + topic;
  if (message.seq <= (last.get(key) ?? -1)) return;  // sent again for another newcomer
  last.set(key, message.seq);
  const kind = topic.slice(PREFIX.length).split("/")[0];
  if (kind === "estimate") {
    if (message.replayed) return;
    for (const [label, score] of Object.entries(message.scores)) outlet("score", label, score, message.source);
    outlet("level", message.level_dbfs, message.source);
  } else if (kind === "event") {
    const name = `${message.source}\n${message.label}`;
    const before = on.get(name);
    if (message.event === "on") {
      on.set(name, message);
      outlet("on", message.label, message.score, message.source);
    } else if (before && before.id === message.id && before.session === message.session) {
      end(before, message.time_s - message.onset_s);
    }
  }
}

function checkSilence() {
  const silentMs = Date.now() - heardAt;
  if (silentMs < STALE_MS || stale) return;
  stale = true;
  for (const event of [...on.values()]) end(event, 0);
  outlet("lost", silentMs / 1000);
}

async function main(address) {
  const socket = new Subscriber();
  socket.connect(address);
  socket.subscribe(PREFIX);
  setInterval(checkSilence, 500);
  for await (const [topic, payload] of socket) {
    heardAt = Date.now();
    stale = false;
    take(topic.toString(), decode(payload));
  }
}

main(process.argv[2] || "tcp://127.0.0.1:5550").catch((error) => {
  console.error(`mmgat: expected an address such as tcp://127.0.0.1:5550, found ${error.message}`);
  process.exit(1);
});
