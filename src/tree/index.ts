/** Pytrees, under the names of `jax.tree`. */
export {
  flatten,
  flattenWithPath,
  keyPaths,
  leaves,
  map,
  printTree,
  structure,
  treeEquals,
  tuple,
  Tuple,
  unflatten,
  type IsLeaf,
  type LeafOf,
  type LeafValue,
  type LeafWithPath,
  type MapLeaves,
  type TreeDef,
} from "./pytree.js";
export {
  registerDataclass,
  registerPytreeNode,
  type Constructor,
  type DataclassFields,
} from "./registry.js";
