#!/usr/bin/env node
/**
 * onnx_infer.mjs ARCH BATCH [PX]: images a second of a ResNet in onnxruntime-node on the CPU, all its optimisations on.
 * The package is not a dependency (300 MB): `npm install --no-save onnxruntime-node` puts it where this looks. The
 * model is written here, as protobuf by hand: convolutions with batch norm folded and random weights.
 */
import process from "node:process";

let ort;
try {
	ort = (await import("onnxruntime-node")).default;
} catch {
	console.error("no onnxruntime-node: npm install --no-save onnxruntime-node");
	process.exit(77);
}

const archs = {
	resnet18: { expansion: 1, depths: [2, 2, 2, 2] },
	resnet34: { expansion: 1, depths: [3, 4, 6, 3] },
	resnet50: { expansion: 4, depths: [3, 4, 6, 3] },
};

function varint(n) {
	const bytes = [];
	for (; n > 127; n = Math.floor(n / 128)) bytes.push((n % 128) | 128);
	return Buffer.from([...bytes, n]);
}
const int = (field, n) => Buffer.concat([varint(field * 8), varint(n)]);
const bytes = (field, what) => {
	const b = Buffer.isBuffer(what) ? what : typeof what === "string" ? Buffer.from(what) : Buffer.concat(what);
	return Buffer.concat([varint(field * 8 + 2), varint(b.length), b]);
};

// onnx.proto: AttributeProto, NodeProto, TensorProto, ValueInfoProto, GraphProto, ModelProto
const ints = (name, values) => bytes(5, [bytes(1, name), int(20, 7), ...values.map((v) => int(8, v))]);
const number = (name, value) => bytes(5, [bytes(1, name), int(20, 2), int(3, value)]);
const node = (type, inputs, output, attributes = []) =>
	bytes(1, [...inputs.map((i) => bytes(1, i)), bytes(2, output), bytes(4, type), ...attributes]);
const tensor = (name, shape, floats) =>
	bytes(5, [...shape.map((d) => int(1, d)), int(2, 1), bytes(8, name), bytes(9, Buffer.from(floats.buffer))]);
const value = (field, name, shape) => {
	const dims = shape.map((d) => bytes(1, [int(1, d)]));
	return bytes(field, [bytes(1, name), bytes(2, [bytes(1, [int(1, 1), bytes(2, dims)])])]);
};

let seed = 1;
function random(n, size) {
	const out = new Float32Array(n);
	for (let i = 0; i < n; i++) {
		seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
		out[i] = (seed / 2 ** 31 - 1) * size;
	}
	return out;
}

function model(arch, batch, px) {
	const { expansion, depths } = archs[arch];
	const nodes = [];
	const weights = [];
	let count = 0;
	const add = (type, inputs, attributes) => {
		const output = `t${++count}`;
		nodes.push(node(type, inputs, output, attributes));
		return output;
	};
	const conv = (from, a, b, kernel, stride) => {
		const [w, bias] = [`w${weights.length}`, `b${weights.length}`];
		weights.push(tensor(w, [b, a, kernel, kernel], random(a * b * kernel * kernel, 1 / Math.sqrt(a * kernel * kernel))));
		weights.push(tensor(bias, [b], random(b, 0.1)));
		const pad = (kernel - 1) / 2;
		return add("Conv", [from, w, bias], [
			ints("kernel_shape", [kernel, kernel]), ints("strides", [stride, stride]), ints("pads", [pad, pad, pad, pad]),
		]);
	};
	const relu = (from) => add("Relu", [from]);
	let x = relu(conv("x", 3, 64, 7, 2));
	x = add("MaxPool", [x], [ints("kernel_shape", [3, 3]), ints("strides", [2, 2]), ints("pads", [1, 1, 1, 1])]);
	let c = 64;
	depths.forEach((depth, stage) => {
		for (let i = 0; i < depth; i++) {
			const width = 64 << stage;
			const out = width * expansion;
			const stride = stage && !i ? 2 : 1;
			const skip = stride !== 1 || c !== out ? conv(x, c, out, 1, stride) : x;
			if (expansion === 1) {
				x = conv(relu(conv(x, c, width, 3, stride)), width, out, 3, 1);
			} else {
				x = conv(relu(conv(relu(conv(x, c, width, 1, 1)), width, width, 3, stride)), width, out, 1, 1);
			}
			x = relu(add("Add", [x, skip]));
			c = out;
		}
	});
	x = add("Flatten", [add("GlobalAveragePool", [x])]);
	weights.push(tensor("fc", [1000, c], random(1000 * c, 0.05)), tensor("fcb", [1000], random(1000, 0.05)));
	nodes.push(node("Gemm", [x, "fc", "fcb"], "y", [number("transB", 1)]));
	const graph = [...nodes, bytes(2, arch), ...weights, value(11, "x", [batch, 3, px, px]), value(12, "y", [batch, 1000])];
	return Buffer.concat([int(1, 8), bytes(7, graph), bytes(8, [bytes(1, ""), int(2, 13)])]);
}

const [arch, batch, px] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4] ?? 224)];
const session = await ort.InferenceSession.create(model(arch, batch, px), { graphOptimizationLevel: "all" });
const x = new ort.Tensor("float32", random(batch * 3 * px * px, 1), [batch, 3, px, px]);
for (let i = 0; i < 3; i++) await session.run({ x });
const times = [];
for (const until = performance.now() + 1500; performance.now() < until || times.length < 5; ) {
	const start = performance.now();
	await session.run({ x });
	times.push(performance.now() - start);
}
times.sort((a, b) => a - b);
console.log(((1000 * batch) / times[times.length >> 1]).toFixed(2));
