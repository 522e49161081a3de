// node tag.mjs NET.onnx INPUT.bin SHAPE... : the scores of a float32 array, as JSON
import { readFile } from "node:fs/promises";
import * as ort from "onnxruntime-web";

const [net, input, ...shape] = process.argv.slice(2);
ort.env.wasm.numThreads = 1;
const session = await ort.InferenceSession.create(await readFile(net));
const values = new Float32Array((await readFile(input)).buffer);
const x = new ort.Tensor("float32", values, shape.map(Number));
const { [session.outputNames[0]]: scores } = await session.run({ [session.inputNames[0]]: x });
console.log(JSON.stringify(Array.from(scores.data)));
