// Element types that equations of integers are drawn with.
export const integerDTypes = ["int32", "uint32", "int8", "uint8"] as const;
