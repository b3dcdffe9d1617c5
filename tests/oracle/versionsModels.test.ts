import { testModels } from "./modelTests.js";

testModels("versions", { eager: () => true });
