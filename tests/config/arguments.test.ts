import { HELP, parseArguments } from "../../src/config/arguments.ts";

describe("parseArguments", () => {
  it.each([
    [[], { command: "serve", configFile: undefined }],
    [["--config", "a.yaml"], { command: "serve", configFile: "a.yaml" }],
    [["--config=a.yaml", "--print-config"], { command: "print-config", configFile: "a.yaml" }],
    [["--check-config"], { command: "check-config", configFile: undefined }],
    [["--print-env-example"], { command: "print-env-example", configFile: undefined }],
    [["--version"], { command: "version", configFile: undefined }],
    [["-h", "--print-config"], { command: "help", configFile: undefined }],
  ])("reads %j", (argv, expected) => {
    expect(parseArguments(argv)).toEqual(expected);
  });

  it.each([
    [["--confg", "a"], "--confg is unknown, did you mean config?"],
    [["-x"], "-x is unknown"],
    [["--config"], "--config: needs the path of a file"],
    [["--config="], "--config: needs the path of a file"],
    [["--print-config=yes"], "--print-config: takes no value"],
    [["a.yaml"], "a.yaml: unexpected argument, see --help"],
    [["--", "a.yaml"], "a.yaml: unexpected argument, see --help"],
    [["--__proto__"], "--__proto__ is unknown"],
  ])("refuses %j", (argv, message) => {
    expect(() => parseArguments(argv)).toThrow(message);
  });

  it("the help explains each option", () => {
    for (const option of ["config", "check-config", "print-config", "print-env-example", "version", "help"]) {
      expect(HELP).toContain(`--${option}`);
    }
  });
});
