import { memoryStore } from "../../adapters/storage/memory_store.ts";
import { objectStoreContract } from "./object_store_contract.ts";

const store = memoryStore();
objectStoreContract("memory", async () => store);
