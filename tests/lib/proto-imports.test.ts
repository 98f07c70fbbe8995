import { protoImports } from "../../src/lib/proto-imports.ts";

it("finds every import of a .proto text", () => {
  const text = `syntax = "proto3"; import "a.proto";import 'b.proto';
    import public "c.proto"; import weak 'd.proto';
    import /* where */ "e.proto";
    import
      "dir/f.proto";`;

  expect(protoImports(text)).toEqual(["a.proto", "b.proto", "c.proto", "d.proto", "e.proto", "dir/f.proto"]);
});

it("finds none in comments, strings and fields", () => {
  const text = `// import "a.proto";
    /* import "b.proto"; */
    option java_package = 'import "c.proto";';
    message Load { string import = 1; string public = 2; }`;

  expect(protoImports(text)).toEqual([]);
});
