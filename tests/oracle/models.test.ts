import { testModels } from "./modelTests.js";

testModels("public", { eager: () => true });
