/**
 * Runs a function in a thread of plain Node. Jest runs test files in a VM context, where each access to a global such as `Math`
 * or `Map` is slow: loops with millions of steps need about half of the CPU time outside of it.
 */
import { once } from "node:events";
import path from "node:path";
import { Worker } from "node:worker_threads";
import { build } from "esbuild";

/**
 * Calls the function `name` of the module with `given`, and resolves with what it returns. Both are copied to and from the thread.
 * Rejects if the function throws.
 */
export const inPlainThread = async <Run extends (given: never) => unknown>(
  { module, name }: { readonly module: string; readonly name: string },
  given: Parameters<Run>[0],
): Promise<ReturnType<Run>> => {
  const contents = `import { parentPort, workerData } from "node:worker_threads";
import { ${name} } from ${JSON.stringify(`./${path.basename(module)}`)};
parentPort.postMessage(await ${name}(workerData));`;
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: path.resolve(path.dirname(module)) },
    ...{ bundle: true, platform: "node", format: "esm", target: "node20", sourcemap: "inline", write: false },
  });
  const [bundle] = outputFiles;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(bundle?.text ?? "")}`), {
    workerData: given,
  });
  // `once` rejects at an "error" of the thread.
  const [result] = (await once(worker, "message")) as [ReturnType<Run>];
  return result;
};
