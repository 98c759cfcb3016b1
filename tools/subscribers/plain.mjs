// A subscriber in plain JavaScript, written from docs/protocol.md and ZMTP 3.0 (rfc.zeromq.org/spec/23):
// it needs Node and nothing else.
//
//   node tools/subscribers/plain.mjs 127.0.0.1 5550
import { connect } from "node:net";

const [host = "127.0.0.1", port = "5550"] = process.argv.slice(2);
const PREFIX = "mmgat/v2/", MORE = 1, LONG = 2, COMMAND = 4;

/** Reads one msgpack value; unknown kinds throw. */
class MsgpackReader {
  constructor(bytes) { this.bytes = bytes; this.at = 0; }
  take(n) { return this.bytes.subarray(this.at, (this.at += n)); }
  uint(n) { return n === 8 ? Number(this.take(8).readBigUInt64BE()) : this.take(n).readUIntBE(0, n); }
  int(n) { return n === 8 ? Number(this.take(8).readBigInt64BE()) : this.take(n).readIntBE(0, n); }
  text(n) { return this.take(n).toString("utf8"); }
  list(n) { return Array.from({ length: n }, () => this.value()); }
  map(n) { return Object.fromEntries(Array.from({ length: n }, () => [this.value(), this.value()])); }
  value() {
    const code = this.uint(1);
    if (code < 0x80) return code;
    if (code < 0x90) return this.map(code & 15);
    if (code < 0xa0) return this.list(code & 15);
    if (code < 0xc0) return this.text(code & 31);
    if (code >= 0xe0) return code - 256;
    switch (code) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xc4: case 0xc5: case 0xc6: return this.take(this.uint(1 << (code - 0xc4)));
      case 0xca: return this.take(4).readFloatBE();
      case 0xcb: return this.take(8).readDoubleBE();
      case 0xcc: case 0xcd: case 0xce: case 0xcf: return this.uint(1 << (code - 0xcc));
      case 0xd0: case 0xd1: case 0xd2: case 0xd3: return this.int(1 << (code - 0xd0));
      case 0xd9: case 0xda: case 0xdb: return this.text(this.uint(1 << (code - 0xd9)));
      case 0xdc: case 0xdd: return this.list(this.uint(2 << (code - 0xdc)));
      case 0xde: case 0xdf: return this.map(this.uint(2 << (code - 0xde)));
    }
    throw new Error(`msgpack code ${code.toString(16)} is not one of this protocol`);
  }
}

function greeting() {
  const bytes = Buffer.alloc(64);
  bytes.set([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0]);  // signature, version 3.0
  bytes.write("NULL", 12);                                 // no security
  return bytes;
}

function frame(flags, body) { return Buffer.concat([Buffer.from([flags, body.length]), body]); }

function ready() {
  const name = "\x05READY\x0bSocket-Type\0\0\0\x03SUB";
  return frame(COMMAND, Buffer.from(name, "latin1"));
}

/** Cuts what has come into [flags, body] frames; what is not whole stays in `buffer`. */
function* frames(state) {
  for (;;) {
    const { buffer } = state, long = buffer.length && buffer[0] & LONG, head = long ? 9 : 2;
    if (buffer.length < head) return;
    const size = long ? Number(buffer.readBigUInt64BE(1)) : buffer[1];
    if (size > 1 << 20) throw new Error(`a message of ${size} bytes, at most 1 MiB are allowed`);
    if (buffer.length < head + size) return;
    state.buffer = buffer.subarray(head + size);
    yield [buffer[0], buffer.subarray(head, head + size)];
  }
}

const last = new Map();  // session and topic -> highest seq
let lost = 0;

function take(topic, message) {
  const kind = topic.slice(PREFIX.length).split("/")[0];
  const key = message.session + topic, before = last.get(key);
  if (message.seq <= (before ?? -1)) return;  // sent again for another newcomer
  if (before !== undefined && !message.replayed) lost += message.seq - before - 1;
  last.set(key, message.seq);
  if (kind === "hello") console.log(`hello ${message.model.name} ${message.model.version}, ${message.labels.length} labels`);
  if (kind === "event") console.log(`${message.event} ${message.label} ${message.time_s.toFixed(2)} ${message.source}`);
  if (kind === "status" && message.message) console.log(`warning ${message.source}: ${message.message}`);
}

let pauseMs = 250;

function run() {
  const socket = connect(Number(port), host);
  const state = { buffer: Buffer.alloc(0), greeted: false, topic: null };
  socket.on("connect", () => socket.write(greeting()));
  socket.on("data", (chunk) => {
    state.buffer = Buffer.concat([state.buffer, chunk]);
    if (!state.greeted) {
      if (state.buffer.length < 64) return;
      state.buffer = state.buffer.subarray(64);
      state.greeted = true;
      socket.write(ready());
    }
    for (const [flags, body] of frames(state)) {
      if (flags & COMMAND) {
        if (body.toString("latin1", 1, 6) !== "READY") continue;
        socket.write(frame(0, Buffer.from("\x01" + PREFIX, "latin1")));  // subscribe
        pauseMs = 250;
      } else if (flags & MORE) state.topic = body.toString("utf8");
      else take(state.topic, new MsgpackReader(body).value());
    }
  });
  socket.on("error", (error) => console.error(`expected an engine at ${host}:${port}, found ${error.message}`));
  socket.on("close", () => {
    setTimeout(run, pauseMs);
    pauseMs = Math.min(2 * pauseMs, 30000);
  });
}

process.stdout.on("error", () => process.exit(0));  // nobody reads any more
process.on("SIGINT", () => { console.log(`${lost} messages were lost`); process.exit(0); });
run();
