// Vercel's AI SDK as its documentation shows it. BASE_URL is the service; what it got goes out as JSON.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

globalThis.AI_SDK_LOG_WARNINGS = false;
const url = process.env.BASE_URL;
const openai = createOpenAICompatible({
  name: "ghost", baseURL: `${url}/v1`, apiKey: "none", includeUsage: true, supportsStructuredOutputs: true,
});
const anthropic = createAnthropic({ baseURL: `${url}/v1`, apiKey: "none" });
const prompt = "Who?";
const maxRetries = 0;
const told = {};

for (const [name, make] of [["openai", openai], ["anthropic", anthropic]]) {
  const model = make("openai");
  const got = (told[name] = {});
  const asked = [];
  const f = tool({
    description: "does it",
    inputSchema: z.object({ a: z.number() }),
    execute: async ({ a }) => { asked.push(a); return "done"; },
  });
  await fetch(`${process.env.PLAY_URL}/text`);
  got.text = (await generateText({ model, prompt, maxRetries })).text;
  got.streamed = "";
  for await (const part of streamText({ model, prompt, maxRetries }).textStream) got.streamed += part;
  await fetch(`${process.env.PLAY_URL}/tools`);
  const steps = await generateText({ model, prompt, maxRetries, tools: { f }, stopWhen: stepCountIs(3) });
  got.tools = [asked, steps.text];
  await fetch(`${process.env.PLAY_URL}/tools`);
  const streamed = streamText({ model, prompt, maxRetries, tools: { f }, stopWhen: stepCountIs(3) });
  got.toolsStreamed = await streamed.text;
  await fetch(`${process.env.PLAY_URL}/object`);
  const output = Output.object({ schema: z.object({ value: z.number() }) });
  got.object = (await generateText({ model, prompt, maxRetries, output })).output.value;
  try {
    await generateText({ model: make("nobody"), prompt, maxRetries });
  } catch (error) {
    got.error = APICallError.isInstance(error) ? [error.statusCode, error.message] : String(error);
  }
  await fetch(`${process.env.PLAY_URL}/endless`);
  const leaving = new AbortController();
  try {
    for await (const part of streamText({ model, prompt, maxRetries, abortSignal: leaving.signal }).textStream) {
      got.first = part;
      leaving.abort();
    }
  } catch { /* it may end with an error */ }
  got.open = await (await fetch(`${process.env.PLAY_URL}/open`)).json();
}
console.log(JSON.stringify(told));
