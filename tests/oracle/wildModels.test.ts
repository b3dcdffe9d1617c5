import { testModels } from "./modelTests.js";

testModels("wild", { eager: () => true });
