// Builds the page and serves it: `npm run example:digits:serve`, then open the printed URL.
// PORT names another port than 8000; PORT=0 takes any free one.
import { buildPage, pageFolder } from "./buildPage.js";
import { serveFolder } from "./serveFolder.js";

await buildPage();
const { url } = await serveFolder(pageFolder, Number(process.env.PORT ?? 8000));
console.log(`Draw digits at ${url} (Ctrl+C ends)`);
