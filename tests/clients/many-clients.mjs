// People of several versions of the client in one room: node many-clients.mjs URL COUNT PERSON…
// A PERSON is PACKAGE:TRANSPORT+TRANSPORT. Each says COUNT messages and loses its connection on the
// way if `!` stands behind it. Prints what each was told.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const [url, count, ...people] = process.argv.slice(2);
const COUNT = Number(count);
const IN_FLIGHT = 32; // messages that wait for their acknowledgement; 2.x says all in one POST
const BEHIND = 300; // so that nobody who polls is cut, who hears 16 at a time
const PATIENCE = 90_000; // ms until it tells where each person stands, and fails
const ROOM = `crowd-${process.pid}`;

class Person {
  heard = new Map(); // number: [user, text]
  acknowledged = []; // numbers, in the order of what was said
  odd = [];
  connections = 0;
  last = 0; // the number heard last
  read = 0; // how far the log was read when the room was entered

  constructor(description, n) {
    const [, name, transports, breaks] = description.match(/^([^:]+):([^!]+)(!?)$/);
    this.name = `Person ${n} of ${process.pid}`;
    this.description = description;
    this.breakAt = breaks ? Math.floor(COUNT / 2) : Infinity;
    this.transports = transports.split("+");
    const io = require(name);
    this.socket = (io.io ?? io)(url, {
      transports: this.transports,
      forceNew: true,
      reconnectionDelay: 20,
    });
    this.socket.on("newmsg", (said, number) => this.hear(said, number));
    this.socket.on("disconnect", (reason) => {
      if (reason !== "forced close") this.odd.push(reason);
    });
    this.socket.on("error", (error) => this.odd.push(`error ${error}`));
  }

  ask(...event) {
    return new Promise((resolve) => this.socket.emit(...event, resolve));
  }

  hear({ user, message }, { room, id }) {
    if (room !== ROOM || id <= this.read) return;
    if (this.heard.has(id)) this.odd.push(`${id} twice`);
    if (id <= this.last) this.odd.push(`${id} after ${this.last}`);
    if (id !== this.last + 1 && this.connections === 1) this.odd.push(`a gap before ${id}`);
    this.heard.set(id, [user, message]);
    this.last = id;
  }

  async connected() {
    if (!this.socket.connected) await new Promise((resolve) => this.socket.once("connect", resolve));
    this.connections += 1;
  }

  // Takes the name, enters the room, and reads what was said meanwhile.
  async enter(name = this.name) {
    let answer = await this.ask("setUsername", name);
    if (!answer.ok) return answer;
    let since = this.last;
    for (let more = true; more; ) {
      answer = await this.ask("join", { room: ROOM, since, limit: 200 });
      for (const [{ user, message }, { id }] of answer.messages) {
        this.heard.set(id, [user, message]);
        since = id;
      }
      this.last = Math.max(this.last, since);
      more = answer.more;
    }
    this.read = since;
    return answer;
  }

  async upgraded() {
    const wanted = this.transports.at(-1);
    while (this.socket.io.engine.transport.name !== wanted) await later(5);
  }

  async talk() {
    const unsaid = Array.from({ length: COUNT }, (_, n) => n);
    while (unsaid.length) {
      if (this.acknowledged.length >= this.breakAt) {
        this.breakAt = Infinity;
        await this.breaksOff();
      }
      while (this.last - slowest() > BEHIND) await later(1);
      const now = unsaid.splice(0, IN_FLIGHT);
      const answers = await Promise.all(now.map((n) => this.say(n)));
      for (const answer of answers) {
        if (answer.ok) this.acknowledged.push(answer.id);
        else this.odd.push(JSON.stringify(answer));
      }
    }
  }

  async breaksOff() {
    const over = new Promise((resolve) => this.socket.once("disconnect", resolve));
    this.socket.io.engine.close();
    await over;
    await this.connected();
    // The server may read the new connection before the end of the old one, which has the name.
    while (!(await this.enter()).ok) await later(20);
  }

  standing() {
    const { socket, connections, acknowledged, heard, last, odd } = this;
    const transport = socket.connected ? socket.io.engine.transport.name : "nothing";
    const counts = `${acknowledged.length} acknowledged, ${heard.size} heard up to ${last}`;
    return `${this.description}: connection ${connections} over ${transport}, ${counts} ${odd}`;
  }

  say(n) {
    return this.ask("msg", { room: ROOM, message: `${n} 😀` });
  }
}

const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const slowest = () => Math.min(...crowd.map((person) => person.last));

const crowd = people.map((description, n) => new Person(description, n));
setTimeout(() => {
  for (const person of crowd) console.error(person.standing());
  process.exit(1);
}, PATIENCE);
await Promise.all(crowd.map((person) => person.connected()));
const first = crowd[0];
await first.enter();
const refused = [];
for (const person of crowd.slice(1)) {
  const told = new Promise((resolve) => person.socket.once("userExists", resolve));
  const answer = await person.enter(first.name.toUpperCase());
  refused.push([answer.code, await told]);
  await person.enter();
}
await Promise.all(crowd.map((person) => person.upgraded()));
await Promise.all(crowd.map((person) => person.talk()));
const total = COUNT * crowd.length;
while (crowd.some((person) => person.heard.size < total)) await later(10);
const log = JSON.stringify([...first.heard].sort(([a], [b]) => a - b));
const found = crowd.map((person) => ({
  description: person.description,
  odd: person.odd.slice(0, 5),
  connections: person.connections,
  transport: person.socket.io.engine.transport.name,
  acknowledged: person.acknowledged,
  same: JSON.stringify([...person.heard].sort(([a], [b]) => a - b)) === log,
  own: [...person.heard].filter(([, [user]]) => user === person.name).sort(([a], [b]) => a - b),
}));
for (const person of crowd) person.socket.disconnect();
const told = JSON.stringify({ refused, found, name: first.name.toUpperCase() });
process.stdout.write(told, () => process.exit(0));
