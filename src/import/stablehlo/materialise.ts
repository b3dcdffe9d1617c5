/**
 * Makes atoms of values that are not in the jaxpr yet: constants, broadcasts, iotas and evaluated
 * shape arithmetic. Used by the block importer; the equations go to its jaxpr.
 */
import type { ShapedArray } from "../../ir/aval.js";
import { dimEquals, isStaticShape, type Dim } from "../../ir/dims.js";
import { Jax2TfjsError } from "../../ir/errors.js";
import { fromNumbers } from "../../ir/hostArray.js";
import type { Atom, SourceInfo } from "../../ir/jaxpr.js";
import { invalidModule } from "./attributes.js";
import type { BlockImporter } from "./blockImporter.js";
import {
  dimOf,
  isNode,
  scalarKey,
  type SymbolicNode,
  type SymbolicScalar,
} from "./symbolicScalar.js";
import {
  avalOf,
  canonicalArray,
  elementValue,
  isUniform,
  literal,
  type BroadcastValue,
  type ConstantValue,
  type CounterValue,
  type Imported,
  type SymbolicValue,
} from "./values.js";

export class Materialiser {
  readonly #atoms = new Map<Imported, Atom>();
  readonly #scalars = new Map<string, Atom>();

  constructor(
    readonly block: Pick<
      BlockImporter,
      "bindOne" | "builder" | "module" | "reshape" | "sourceText"
    >,
  ) {}

  /** The value as data; each value is made once. */
  atom(value: Imported): Atom {
    if (value.kind === "atom") return value.atom;
    let atom = this.#atoms.get(value);
    if (atom === undefined) {
      atom = this.#makeAtom(value);
      this.#atoms.set(value, atom);
    }
    return atom;
  }

  #makeAtom(value: Exclude<Imported, { readonly kind: "atom" }>): Atom {
    switch (value.kind) {
      case "constant":
        this.block.module.noteNarrowed(value.array.dtype, this.block.sourceText);
        if (value.splat) return this.#broadcast(this.#constantScalar(value), value.aval);
        return this.block.builder.constant(canonicalArray(value.array));
      case "broadcast":
        return this.#at(value.origin, () => this.#broadcastAtom(value));
      case "iota": {
        const { dtype, shape } = value.aval;
        const params = { dtype, shape, dimension: value.dimension };
        return this.#at(value.origin, () => this.block.bindOne("iota", [], params));
      }
      case "symbolic":
        return this.#materialiseSymbolic(value);
      case "counter":
        return this.#counterAtom(value);
      case "words":
      case "token":
        throw new Jax2TfjsError(
          "unsupported-type",
          `a ${value.kind === "token" ? "token" : "pair of words"} is used as an array`,
          { source: this.block.sourceText, fix: "export the function with jax_enable_x64 off" },
        );
    }
  }

  /** Adds equations that another operation of the module stands for. */
  #at(origin: SourceInfo, add: () => Atom): Atom {
    const { source } = this.block.builder;
    this.block.builder.source = origin;
    try {
      return add();
    } finally {
      this.block.builder.source = source;
    }
  }

  #broadcastAtom({ source, dimensions, aval }: BroadcastValue): Atom {
    const { shape } = aval;
    // Only dimensions of size 1 are added: JAX writes this as a reshape, too.
    const addsOnes = shape.every((size, axis) => {
      const from = dimensions.indexOf(axis);
      return from < 0 ? size === 1 : dimEquals(size, source.aval.shape[from] ?? NaN);
    });
    if (addsOnes && dimensions.length > 0) return this.block.reshape(source, shape);
    const params = { shape, broadcast_dimensions: dimensions };
    return this.block.bindOne("broadcast_in_dim", [source], params);
  }

  /** The lower words of a counter: sums and products of uint32 wrap as those of uint64 do. */
  #counterAtom({ terms, constant, aval }: CounterValue): Atom {
    const parts = [...terms].map(([dimension, coefficient]) => {
      const params = { dtype: aval.dtype, shape: aval.shape, dimension };
      const iota = this.block.bindOne("iota", [], params);
      if (coefficient === 1) return iota;
      return this.block.bindOne("mul", [this.#word(coefficient), iota], {});
    });
    const [first, ...others] = parts;
    if (first === undefined) return this.#broadcast(this.#word(constant), aval);
    const sum = others.reduce<Atom>((x, y) => this.block.bindOne("add", [x, y], {}), first);
    return constant === 0 ? sum : this.block.bindOne("add", [this.#word(constant), sum], {});
  }

  /** A size as uint32. */
  #word(dim: Dim): Atom {
    if (typeof dim === "number") return literal(dim % 2 ** 32, "uint32");
    const params = { new_dtype: "uint32", weak_type: false };
    return this.block.bindOne("convert_element_type", [this.#scalar(dim)], params);
  }

  #constantScalar(value: ConstantValue): Atom {
    const scalar = elementValue(canonicalArray(value.array));
    if (scalar === undefined) throw invalidModule("a constant has no elements");
    return literal(scalar, value.aval.dtype);
  }

  #broadcast(scalar: Atom, aval: ShapedArray): Atom {
    if (aval.shape.length === 0) return scalar;
    return this.block.bindOne("broadcast_in_dim", [scalar], {
      shape: aval.shape,
      broadcast_dimensions: [],
    });
  }

  #materialiseSymbolic(value: SymbolicValue): Atom {
    this.block.module.noteNarrowed(value.type, this.block.sourceText);
    const { elements, aval } = value;
    const { shape } = aval;
    const [first] = elements;
    if (
      first !== undefined &&
      elements.every((element) => scalarKey(element) === scalarKey(first))
    ) {
      return this.#broadcast(this.#scalar(first), aval);
    }
    const numbers = elements.filter((e) => typeof e === "number" || typeof e === "boolean");
    if (numbers.length === elements.length && isStaticShape(shape)) {
      return this.block.builder.constant(fromNumbers(aval.dtype, shape, numbers.map(Number)));
    }
    const parts = elements.map((element) =>
      this.block.bindOne("broadcast_in_dim", [this.#scalar(element)], {
        shape: [1],
        broadcast_dimensions: [],
      }),
    );
    const flat = this.block.bindOne("concatenate", parts, { dimension: 0 });
    return shape.length === 1 ? flat : this.block.reshape(flat, shape);
  }

  /** A known scalar as data: bool or int32. */
  #scalar(scalar: SymbolicScalar): Atom {
    if (typeof scalar === "boolean") return literal(scalar, "bool");
    const key = scalarKey(scalar);
    let atom = this.#scalars.get(key);
    if (atom === undefined) {
      const dim = dimOf(scalar);
      atom = dim === undefined && isNode(scalar) ? this.#nodeAtom(scalar) : this.#dimAtom(dim ?? 0);
      this.#scalars.set(key, atom);
    }
    return atom;
  }

  #dimAtom(dim: Dim): Atom {
    if (typeof dim !== "number") return this.block.bindOne("dim_as_value", [], { dim });
    if (dim === (dim | 0)) return literal(dim, "int32");
    throw new Jax2TfjsError("value-out-of-range", `${dim} does not fit into int32`, {
      source: this.block.sourceText,
    });
  }

  #nodeAtom(node: SymbolicNode): Atom {
    const operands = node.operands.map((operand) => this.#scalar(operand));
    if (node.operation === "convert") {
      const dtype = node.type === "bool" ? "bool" : "int32";
      return this.block.bindOne("convert_element_type", operands, {
        new_dtype: dtype,
        weak_type: false,
      });
    }
    if (node.operation === "select") {
      const [predicate, onTrue, onFalse] = operands;
      const cases = [predicate, onFalse, onTrue].filter((atom) => atom !== undefined);
      return this.block.bindOne("select_n", cases, {});
    }
    return this.block.bindOne(node.operation, operands, {});
  }

  /** The scalar that all elements of a value equal, if it is known to be one. */
  uniformScalar(value: Imported): Atom | undefined {
    if (value.kind === "broadcast" && isUniform(value)) return value.source;
    if (value.kind === "constant" && value.splat) {
      this.block.module.noteNarrowed(value.array.dtype, this.block.sourceText);
      return this.#constantScalar(value);
    }
    if (avalOf(value).shape.length === 0 && value.kind !== "token") return this.atom(value);
    return undefined;
  }
}
