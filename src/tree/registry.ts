/**
 * Classes that users register as pytree nodes. Read by pytree.ts; JAX's counterparts are
 * `jax.tree_util.register_pytree_node` and `register_dataclass`.
 */
import { Jax2TfjsError } from "../ir/errors.js";

/** A class whose instances are looked into. */
export type Constructor<T extends object = object> = abstract new (...args: never[]) => T;

/** How instances of a registered class come apart and together. */
export interface NodeType {
  readonly name: string;
  /** The children, and what else makes the instance: compared with `Object.is`, element by element. */
  flatten(node: object): { readonly children: readonly unknown[]; readonly auxiliary: unknown };
  unflatten(auxiliary: unknown, children: readonly unknown[]): object;
  /** What leads to a child, as a key path prints it: `.weight`. */
  childName(index: number): string;
}

const registered = new Map<unknown, NodeType>();

function register(constructor: Constructor, type: NodeType): void {
  if (registered.has(constructor)) {
    throw new Jax2TfjsError(
      "pytree-registered",
      `${type.name} is a registered pytree node already`,
      {
        fix: "register each class once",
      },
    );
  }
  registered.set(constructor, type);
}

/** The type of a value's class, if that class was registered. */
export function registeredType(value: object): NodeType | undefined {
  return registered.get(value.constructor);
}

/**
 * Makes instances of a class nodes of pytrees: transformations look into them.
 *
 * @param flatten gives the children (arrays or further pytrees) and the static rest
 * @param unflatten makes an instance of both; it must not look at the children, which may be tracers
 * @throws Jax2TfjsError `pytree-registered` for a class that was registered before
 *
 * JAX's counterpart is `jax.tree_util.register_pytree_node`.
 */
export function registerPytreeNode<T extends object, Auxiliary>(
  constructor: Constructor<T>,
  flatten: (node: T) => readonly [children: readonly unknown[], auxiliary: Auxiliary],
  unflatten: (auxiliary: Auxiliary, children: readonly unknown[]) => T,
): void {
  register(constructor, {
    name: constructor.name,
    flatten: (node) => {
      const [children, auxiliary] = flatten(node as T);
      return { children, auxiliary };
    },
    // The registry pairs a class with its own functions, so the erased types fit.
    unflatten: (auxiliary, children) => unflatten(auxiliary as Auxiliary, children),
    childName: (index) => `[<flat index ${index}>]`,
  });
}

/** Which fields of a class are arrays, and which are static. */
export interface DataclassFields<T> {
  readonly dataFields: readonly (keyof T & string)[];
  readonly metaFields?: readonly (keyof T & string)[];
}

/**
 * Makes instances of a class nodes of pytrees by their fields. They are remade without calling the
 * constructor.
 *
 * @throws Jax2TfjsError `pytree-registered` for a class that was registered before
 *
 * JAX's counterpart is `jax.tree_util.register_dataclass`.
 */
export function registerDataclass<T extends object>(
  constructor: Constructor<T>,
  { dataFields, metaFields = [] }: DataclassFields<T>,
): void {
  register(constructor, {
    name: constructor.name,
    flatten: (node) => ({
      children: dataFields.map((field) => (node as T)[field]),
      auxiliary: metaFields.map((field) => (node as T)[field]),
    }),
    unflatten: (auxiliary, children) => {
      const instance = Object.create(constructor.prototype as object) as object;
      const meta = auxiliary as readonly unknown[];
      dataFields.forEach((field, index) => Object.assign(instance, { [field]: children[index] }));
      metaFields.forEach((field, index) => Object.assign(instance, { [field]: meta[index] }));
      return instance;
    },
    childName: (index) => `.${dataFields[index] ?? String(index)}`,
  });
}

/**
 * Makes instances of a class nodes without children: they are part of the structure, and no arrays.
 *
 * @throws Jax2TfjsError `pytree-registered` for a class that was registered before
 *
 * JAX's counterpart is `jax.tree_util.register_static`.
 */
export function registerStatic(constructor: Constructor): void {
  register(constructor, {
    name: constructor.name,
    flatten: (node) => ({ children: [], auxiliary: node }),
    unflatten: (auxiliary) => auxiliary as object,
    childName: String,
  });
}
