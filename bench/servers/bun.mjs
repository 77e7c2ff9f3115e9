import { Server as Engine } from "@socket.io/bun-engine";
import { Server } from "socket.io";
import { chat } from "./chat.mjs";

const io = new Server();
const engine = new Engine({ path: "/socket.io/" });
io.bind(engine);
chat(io);

export default {
  port: process.env.PORT,
  hostname: "127.0.0.1",
  ...engine.handler(),
};
