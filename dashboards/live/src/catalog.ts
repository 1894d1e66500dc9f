/** The routing table, fetched once per key. */

import { get } from "./api";
import type { RoutingTable } from "./types";

let table: Promise<RoutingTable> | undefined;
let known: RoutingTable = { routes: [], names: [], models: [] };

export function catalog(): Promise<RoutingTable> {
  table ??= get<RoutingTable>("v1/routing").then((t) => (known = t), (e) => { table = undefined; throw e; });
  return table;
}

/** What is known of it by now. */
export const knownCatalog = (): RoutingTable => known;
export const forgetCatalog = (): void => void (table = undefined);
