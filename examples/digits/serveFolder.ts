// A web server for one folder, on this machine only. Used by serve.ts and by the page's tests.
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { extname, resolve, sep } from "node:path";

const mimeTypes: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

/** A server for the files of `folder`, and for nothing else. */
function serverOf(folder: string): Server {
  return createServer((request, response) => {
    void (async () => {
      try {
        const { pathname } = new URL(request.url ?? "/", "http://localhost");
        const file = resolve(folder, `.${decodeURIComponent(pathname)}`);
        if (file !== folder && !file.startsWith(folder + sep)) throw new Error("outside");
        const path = file === folder ? resolve(folder, "index.html") : file;
        const body = await readFile(path);
        const type = mimeTypes[extname(path)] ?? "application/octet-stream";
        response.writeHead(200, { "content-type": type, "cache-control": "no-cache" }).end(body);
      } catch {
        response.writeHead(404, { "content-type": "text/plain" }).end("not found");
      }
    })();
  });
}

/** Listens on `port`, or on any free one if that is taken. */
async function listen(server: Server, port: number): Promise<number> {
  const attempt = (wanted: number): Promise<void> =>
    new Promise((done, fail) => {
      server.once("error", fail);
      server.listen(wanted, "127.0.0.1", () => {
        server.off("error", fail);
        done();
      });
    });
  await attempt(port).catch(() => attempt(0));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return address.port;
}

export interface FolderServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves the files of `folder` on `port` of localhost, or on any free port if that is taken. */
export async function serveFolder(folder: string, port: number): Promise<FolderServer> {
  const server = serverOf(folder);
  const taken = await listen(server, port);
  return {
    url: `http://localhost:${taken}`,
    close: () =>
      new Promise((done) => {
        server.closeAllConnections();
        server.close(() => {
          done();
        });
      }),
  };
}
