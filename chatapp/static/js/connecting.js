// The page's connection, begun while the rest of the page is still on its way.
import { Connection } from "./connection.js";

export const connection = new Connection(document.body.dataset.socketPath);
connection.tryNow();
