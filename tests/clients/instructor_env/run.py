"""Instructor's own ways to get an object, in its own environment. `BASE_URL` is the service; the last line is JSON."""

import json
import os
import sys
from typing import Any

import instructor
import openai
from pydantic import BaseModel


class Number(BaseModel):
    value: int


asked: Any = {"model": "openai", "messages": [{"role": "user", "content": "Who?"}]}
plain = openai.OpenAI(base_url=os.environ["BASE_URL"], api_key="none", max_retries=0)
told: dict[str, int] = {}
for mode in (instructor.Mode.JSON, instructor.Mode.JSON_SCHEMA):
    client = instructor.from_openai(plain, mode=mode)
    told[mode.name] = client.chat.completions.create(response_model=Number, max_retries=0, **asked).value
client = instructor.from_openai(plain, mode=instructor.Mode.JSON_SCHEMA)
*_, last = client.chat.completions.create_partial(response_model=Number, max_retries=0, **asked)
told["partial"] = last.value
calling = instructor.from_openai(plain, mode=instructor.Mode.TOOLS)
told["TOOLS"] = calling.chat.completions.create(response_model=Number, max_retries=0, **{**asked, "seed": 1}).value
try:
    plain.chat.completions.create(**{**asked, "model": "nobody"})
except openai.NotFoundError as error:
    told["error"] = error.status_code
sys.stdout.write(json.dumps(told))
