#compdef tgicli
# This is what `tgicli completion zsh` prints; a change here would not last.

_tgicli_names() {
    local -a names=(${(f)"$(tgicli $@ 2>/dev/null)"})
    compadd -a names
}

_tgicli() {
    local context state state_descr line
    typeset -A opt_args
    _arguments -C -s -S \
        '(--version)--version[Show the versions of tgicli, Python and llama.cpp, and the devices; then exit.]' \
        '(--traceback)--traceback[With an error, show where it was raised.]' \
        '(--profile)--profile=[Let the configuration file'\''s \[profiles.NAME\] win over the rest of it.]:NAME:{_tgicli_names config profiles --names; true}' \
        '(-h --help)'{-h,--help}'[Show this page and exit.]' \
        '1:command:->command' \
        '*::argument:->argument'
    case $state in
        command)
            local -a commands=(
                'generate:Stream a model'\''s answer to PROMPT.'
                'chat:Talk to a model\: question, answer, question.'
                'serve:Serve a model over HTTP, as text-generation-inference (TGI) does.'
                'bench:Measure how fast a model or a server answers.'
                'models:Find and get models.'
                'config:Show what every option is set to, and where.'
                'doctor:Say what this machine can run, and whether MODEL fits.'
                'completion:Print a shell'\''s completions.'
            )
            _describe command commands
            ;;
        argument)
            case $words[1] in
                generate) _tgicli_generate ;;
                chat) _tgicli_chat ;;
                serve) _tgicli_serve ;;
                bench) _tgicli_bench ;;
                models) _tgicli_models ;;
                config) _tgicli_config ;;
                doctor) _tgicli_doctor ;;
                completion) _tgicli_completion ;;
            esac
            ;;
    esac
}

_tgicli_generate() {
    _arguments -s -S \
        '*'{-f+,--file=}'[Add what FILE holds. Repeatable; TGICLI_FILE holds one.]:FILE:_files' \
        '(--stdin --no-stdin)'{--stdin,--no-stdin}'[Read stdin, whatever it is, or never. Otherwise a pipe or a file beside PROMPT is read to its end, a socket that stays silent for 5 s is left alone, and so is all beside FILE.]' \
        '(-s --system)'{-s+,--system=}'[Tell the model how to behave.]:TEXT: ' \
        '(--chat --no-chat)'{--chat,--no-chat}'[Put the prompt into the model'\''s chat template, or go on from it as it is.]' \
        '(--truncate)--truncate=[Keep the last N tokens of the prompt.]:N: ' \
        '(--max-new-tokens)--max-new-tokens=[Generate at most N tokens.]:N: ' \
        '(--temperature)--temperature=[Flatten (> 1) or sharpen (< 1) the odds; 0 always takes the likeliest token. Left out, a server'\''s own holds.]:T: ' \
        '(--top-k)--top-k=[Keep the K likeliest tokens; 0 keeps all.]:K: ' \
        '(--top-p)--top-p=[Keep the likeliest tokens that make up P of the probability; 1 keeps all.]:P: ' \
        '(--typical-p)--typical-p=[Keep the locally typical tokens that make up P of the probability; 1 keeps all.]:P: ' \
        '(--min-p)--min-p=[Drop tokens less likely than P times the likeliest; 0 keeps all.]:P: ' \
        '(--repetition-penalty)--repetition-penalty=[Make tokens that occurred less likely, X > 1; 1 changes nothing.]:X: ' \
        '(--frequency-penalty)--frequency-penalty=[Subtract X, in \[-2, 2\], from a token'\''s logit for each time it occurred.]:X: ' \
        '(--presence-penalty)--presence-penalty=[Subtract X, in \[-2, 2\], from the logit of each token that occurred.]:X: ' \
        '*--stop=[End before this text, which is not shown. Repeatable; TGICLI_STOP holds one.]:TEXT: ' \
        '(--seed)--seed=[Draw the same tokens again; --stats shows the seed.]:N: ' \
        '(--schema)--schema=[Answer in JSON that a JSON Schema allows\: a file that holds it, or the schema.]:FILE|JSON:_files' \
        '(--regex)--regex=[Answer what an expression matches as a whole.]:REGEX: ' \
        '(--gbnf)--gbnf=[Answer what a grammar of llama.cpp'\''s allows\: a file that holds it, or the rules.]:FILE|GBNF:_files' \
        '(--best-of)--best-of=[Generate N answers and show the likeliest when all are done.]:N: ' \
        '(--raw)--raw[The answer'\''s bytes as they are.]' \
        '(--plain)--plain[Text; no colours, no drawn Markdown.]' \
        '(--json)--json[TGI'\''s JSON\: an object a token, one a line; with --no-stream one in all.]' \
        '(--stream --no-stream)'{--stream,--no-stream}'[Show each token when it comes, or all at the end.]' \
        '(--details)--details[With --json --no-stream\: why it ended, the seed, all tokens; a stream has them.]' \
        '(--top-n-tokens)--top-n-tokens=[With --json\: the N likeliest tokens of each step.]:N: ' \
        '(--special)--special[Show special tokens, too.]' \
        '(--reasoning)--reasoning=[What a server'\''s model thinks before its answer\: on stderr, nowhere, or with it.]:show|hide|stdout:(show hide stdout)' \
        '(--stats)--stats[Timings and the seed, on stderr.]' \
        '(--dry-run)--dry-run[Generate nothing; print the prompt as the model would see it, or the request to a server as a curl command without the key.]' \
        '(-q --quiet)'{-q,--quiet}'[No progress and no notes on stderr.]' \
        '(--server --no-server)'{--server,--no-server}'[Without -m, let a `tgicli serve` of yours answer that has the model loaded.]' \
        '(-e --endpoint)'{-e+,--endpoint=}'[Ask a TGI or OpenAI server\: http\://HOST\:PORT, the URL of one of its routes, or unix\:/PATH. --model then names one of its models.]:URL: ' \
        '(--api)--api=[Speak tgi, openai-chat or openai-completions.]:DIALECT:(tgi openai-chat openai-completions)' \
        '(--api-key)--api-key=[The key; in TGICLI_API_KEY or the configuration file, for others see a command line.]:KEY: ' \
        '(--api-key-file)--api-key-file=[Read the key from FILE.]:FILE:_files' \
        '(--api-key-command)--api-key-command=[Let a shell run COMMAND, which prints the key.]:COMMAND: ' \
        '*'{-H+,--header=}'[Send a header. Repeatable; TGICLI_HEADER holds one.]:'\''NAME\: VALUE'\'': ' \
        '(--retries)--retries=[Ask a server that is busy or not there up to N times again, before the first token.]:N: ' \
        '(--timeout)--timeout=[Give up an answer after S seconds, a model'\''s here, too; 0\: never.]:S: ' \
        '(--connect-timeout)--connect-timeout=[Seconds to wait for a connection; 0\: any.]:S: ' \
        '(--first-token-timeout)--first-token-timeout=[Seconds to the first token; 0\: any.]:S: ' \
        '(--token-timeout)--token-timeout=[Seconds between two tokens; 0\: any.]:S: ' \
        '(--input)--input=[Answer each line of FILE (`-`\: stdin)\: text, a JSON string, or an object with `prompt` or `messages`, parameters of its own, and keys that its answer repeats.]:FILE:_files' \
        '(-o --output)'{-o+,--output=}'[Write the answers to FILE, a JSON object a line. The same command again goes on where it was interrupted.]:FILE:_files' \
        '(--concurrency)--concurrency=[Ask N prompts at once, at most; fewer while a server is busy.]:N: ' \
        '(--input-format)--input-format=[What FILE is; auto\: what its name ends with, or its first line is.]:auto|jsonl|text:(auto jsonl text)' \
        '(--as-completed)--as-completed[Leave the answers in the order in which they came.]' \
        '(--redo-changed)--redo-changed[Ask prompts again that have changed since --output was written.]' \
        '(--restart)--restart[Drop the answers in --output, and ask all again.]' \
        '(--fail-fast)--fail-fast[Stop at the first prompt that fails. Otherwise the exit status is the greatest of all failures'\''.]' \
        '(--give-up-after)--give-up-after=[Stop when a server has been busy or gone for S seconds; what is answered stays.]:S: ' \
        '(-m --model)'{-m+,--model=}'[A GGUF file, or ORG/NAME\[\:QUANT|\:FILE\] from a hub, downloaded once.]:MODEL:{_tgicli_names models list --names; _files}' \
        '(--offline)--offline[Use what is on disk; never ask a hub.]' \
        '(--ctx-size)--ctx-size=[Tokens that prompt and answer may have together; 0\: what the prompt needs (`serve`\: 4096), within what the model was trained for.]:N: ' \
        '(--threads)--threads=[Compute with N threads.]:N: ' \
        '(--gpu-layers)--gpu-layers=[Layers on the GPU; auto\: all that fit, where there is one.]:auto|N:(auto)' \
        '(--main-gpu)--main-gpu=[Use one GPU alone, the N-th; `tgicli doctor` counts them from 0.]:N: ' \
        '(--tensor-split)--tensor-split=[Spread the layers over the GPUs in this proportion.]:A,B,...: ' \
        '(--flash-attn)--flash-attn=[Use flash attention.]:auto|on|off:(auto on off)' \
        '(--kv-type)--kv-type=[How the KV cache stores its values\: f32, f16, bf16, q8_0 or q4_0.]:TYPE:(f32 f16 bf16 q8_0 q4_0)' \
        '(--batch-size)--batch-size=[Tokens computed at once, at most.]:N: ' \
        '*--lora=[Apply an adapter. Repeatable; TGICLI_LORA holds one.]:FILE\[=SCALE\]:_files' \
        '(--mmap --no-mmap)'{--mmap,--no-mmap}'[Map the file into memory, or read it whole, into huge pages where there are some.]' \
        '(--mlock)--mlock[Keep the model in RAM, never swapped.]' \
        '(--prefix-reuse --no-prefix-reuse)'{--prefix-reuse,--no-prefix-reuse}'[Compute a beginning that prompts share only once.]' \
        '(--traceback)--traceback[With an error, show where it was raised.]' \
        '(--profile)--profile=[Let the configuration file'\''s \[profiles.NAME\] win over the rest of it.]:NAME:{_tgicli_names config profiles --names; true}' \
        '(-h --help)'{-h,--help}'[Show this page and exit.]' \
        '*:PROMPT: '
}

_tgicli_chat() {
    _arguments -s -S \
        '(-s --system)'{-s+,--system=}'[Tell the model how to behave.]:TEXT: ' \
        '(--load)--load=[Go on with the conversation that /save has written to FILE.]:FILE:_files' \
        '(--history --no-history)'{--history,--no-history}'[Keep what is typed for the next sessions, or forget it.]' \
        '(--max-new-tokens)--max-new-tokens=[Generate at most N tokens.]:N: ' \
        '(--temperature)--temperature=[Flatten (> 1) or sharpen (< 1) the odds; 0 always takes the likeliest token. Left out, a server'\''s own holds.]:T: ' \
        '(--top-k)--top-k=[Keep the K likeliest tokens; 0 keeps all.]:K: ' \
        '(--top-p)--top-p=[Keep the likeliest tokens that make up P of the probability; 1 keeps all.]:P: ' \
        '(--typical-p)--typical-p=[Keep the locally typical tokens that make up P of the probability; 1 keeps all.]:P: ' \
        '(--min-p)--min-p=[Drop tokens less likely than P times the likeliest; 0 keeps all.]:P: ' \
        '(--repetition-penalty)--repetition-penalty=[Make tokens that occurred less likely, X > 1; 1 changes nothing.]:X: ' \
        '(--frequency-penalty)--frequency-penalty=[Subtract X, in \[-2, 2\], from a token'\''s logit for each time it occurred.]:X: ' \
        '(--presence-penalty)--presence-penalty=[Subtract X, in \[-2, 2\], from the logit of each token that occurred.]:X: ' \
        '*--stop=[End before this text, which is not shown. Repeatable; TGICLI_STOP holds one.]:TEXT: ' \
        '(--seed)--seed=[Draw the same tokens again; --stats shows the seed.]:N: ' \
        '(--plain)--plain[Text; no colours, no drawn Markdown.]' \
        '(--reasoning)--reasoning=[What a server'\''s model thinks before its answer\: on stderr, nowhere, or with it.]:show|hide|stdout:(show hide stdout)' \
        '(--stats)--stats[Tokens and times after each answer, on stderr.]' \
        '(-q --quiet)'{-q,--quiet}'[No progress and no notes before the answer.]' \
        '(--server --no-server)'{--server,--no-server}'[Without -m, let a `tgicli serve` of yours answer that has the model loaded.]' \
        '(-e --endpoint)'{-e+,--endpoint=}'[Ask a TGI or OpenAI server\: http\://HOST\:PORT, the URL of one of its routes, or unix\:/PATH. --model then names one of its models.]:URL: ' \
        '(--api)--api=[Speak tgi, openai-chat or openai-completions.]:DIALECT:(tgi openai-chat openai-completions)' \
        '(--api-key)--api-key=[The key; in TGICLI_API_KEY or the configuration file, for others see a command line.]:KEY: ' \
        '(--api-key-file)--api-key-file=[Read the key from FILE.]:FILE:_files' \
        '(--api-key-command)--api-key-command=[Let a shell run COMMAND, which prints the key.]:COMMAND: ' \
        '*'{-H+,--header=}'[Send a header. Repeatable; TGICLI_HEADER holds one.]:'\''NAME\: VALUE'\'': ' \
        '(--retries)--retries=[Ask a server that is busy or not there up to N times again, before the first token.]:N: ' \
        '(--timeout)--timeout=[Give up an answer after S seconds, a model'\''s here, too; 0\: never.]:S: ' \
        '(--connect-timeout)--connect-timeout=[Seconds to wait for a connection; 0\: any.]:S: ' \
        '(--first-token-timeout)--first-token-timeout=[Seconds to the first token; 0\: any.]:S: ' \
        '(--token-timeout)--token-timeout=[Seconds between two tokens; 0\: any.]:S: ' \
        '(-m --model)'{-m+,--model=}'[A GGUF file, or ORG/NAME\[\:QUANT|\:FILE\] from a hub, downloaded once.]:MODEL:{_tgicli_names models list --names; _files}' \
        '(--offline)--offline[Use what is on disk; never ask a hub.]' \
        '(--ctx-size)--ctx-size=[Tokens that prompt and answer may have together; 0\: what the prompt needs (`serve`\: 4096), within what the model was trained for.]:N: ' \
        '(--threads)--threads=[Compute with N threads.]:N: ' \
        '(--gpu-layers)--gpu-layers=[Layers on the GPU; auto\: all that fit, where there is one.]:auto|N:(auto)' \
        '(--main-gpu)--main-gpu=[Use one GPU alone, the N-th; `tgicli doctor` counts them from 0.]:N: ' \
        '(--tensor-split)--tensor-split=[Spread the layers over the GPUs in this proportion.]:A,B,...: ' \
        '(--flash-attn)--flash-attn=[Use flash attention.]:auto|on|off:(auto on off)' \
        '(--kv-type)--kv-type=[How the KV cache stores its values\: f32, f16, bf16, q8_0 or q4_0.]:TYPE:(f32 f16 bf16 q8_0 q4_0)' \
        '(--batch-size)--batch-size=[Tokens computed at once, at most.]:N: ' \
        '*--lora=[Apply an adapter. Repeatable; TGICLI_LORA holds one.]:FILE\[=SCALE\]:_files' \
        '(--mmap --no-mmap)'{--mmap,--no-mmap}'[Map the file into memory, or read it whole, into huge pages where there are some.]' \
        '(--mlock)--mlock[Keep the model in RAM, never swapped.]' \
        '(--prefix-reuse --no-prefix-reuse)'{--prefix-reuse,--no-prefix-reuse}'[Compute a beginning that prompts share only once.]' \
        '(--traceback)--traceback[With an error, show where it was raised.]' \
        '(--profile)--profile=[Let the configuration file'\''s \[profiles.NAME\] win over the rest of it.]:NAME:{_tgicli_names config profiles --names; true}' \
        '(-h --help)'{-h,--help}'[Show this page and exit.]' \
        '*:QUESTION: '
}

_tgicli_serve() {
    _arguments -s -S \
        '(--hostname)--hostname=[Listen on this address; 0.0.0.0\: on all.]:HOST: ' \
        '(-p --port)'{-p+,--port=}'[Listen on this port; 0\: on any free one, which is printed.]:N: ' \
        '(--uds)--uds=[Listen on a Unix socket instead.]:PATH:_files' \
        '(--ssl-certfile)--ssl-certfile=[Speak TLS with this certificate (PEM).]:FILE:_files' \
        '(--ssl-keyfile)--ssl-keyfile=[The certificate'\''s private key (PEM).]:FILE:_files' \
        '(--max-concurrent-requests)--max-concurrent-requests=[Requests that may run and wait; one more is refused with status 429.]:N: ' \
        '(--max-batch-size)--max-batch-size=[Requests computed at once; others wait.]:N: ' \
        '(--cache-ram)--cache-ram=[RAM for conversations that made room for others; 0\: none.]:MIB: ' \
        '(--max-total-tokens)--max-total-tokens=[Tokens that prompt and answer may have together.]:N: ' \
        '(--max-input-tokens)--max-input-tokens=[Tokens that a prompt may have.]:N: ' \
        '(--max-batch-prefill-tokens)--max-batch-prefill-tokens=[Prompt tokens in one step.]:N: ' \
        '(--max-queue-wait)--max-queue-wait=[Refuse a request that waited S seconds for its first step.]:S: ' \
        '(--payload-limit)--payload-limit=[Size of a request'\''s body.]:BYTES: ' \
        '(--max-best-of)--max-best-of=[Largest best_of.]:N: ' \
        '(--max-stop-sequences)--max-stop-sequences=[Stop strings in a request.]:N: ' \
        '(--max-top-n-tokens)--max-top-n-tokens=[Largest top_n_tokens.]:N: ' \
        '(--max-client-batch-size)--max-client-batch-size=[Prompts in one request to /v1/completions.]:N: ' \
        '(--grammar-support --no-grammar-support)'{--grammar-support,--no-grammar-support}'[Allow grammars, or refuse them.]' \
        '(--shutdown-timeout)--shutdown-timeout=[On SIGTERM, let running requests finish for S seconds.]:S: ' \
        '(--stall-timeout)--stall-timeout=[Give up a reader that takes nothing for S seconds.]:S: ' \
        '(--json-output)--json-output[Write the access log as JSON.]' \
        '(--live --no-live)'{--live,--no-live}'[Draw a panel on a terminal, or write plain lines there, too.]' \
        '(-q --quiet)'{-q,--quiet}'[No access log and no panel.]' \
        '*--api-key=[Ask for this key. Repeatable; others see a command line, so rather use TGICLI_API_KEY or --api-key-file.]:KEY: ' \
        '(--api-key-file)--api-key-file=[Ask for one of the keys in FILE, one a line.]:FILE:_files' \
        '(--isolate-keys)--isolate-keys[Reuse prefixes among requests with the same key only.]' \
        '*--cors-allow-origin=[Let pages of this origin ask (`*`\: all). Repeatable.]:ORIGIN: ' \
        '(--connect)--connect=[Pass requests on to a TGI or OpenAI server\: http\://HOST\:PORT, the URL of one of its routes, or unix\:/PATH.]:URL: ' \
        '(--connect-api)--connect-api=[Speak tgi, openai-chat or openai-completions with it.]:DIALECT:(tgi openai-chat openai-completions)' \
        '(--connect-model)--connect-model=[Ask for this model.]:NAME: ' \
        '(--connect-key)--connect-key=[Its key, in TGICLI_CONNECT_KEY or the configuration file\: others see a command line.]:CONNECT_KEY: ' \
        '(--connect-key-file)--connect-key-file=[Read its key from FILE.]:FILE:_files' \
        '(-m --model)'{-m+,--model=}'[A GGUF file, or ORG/NAME\[\:QUANT|\:FILE\] from a hub, downloaded once.]:MODEL:{_tgicli_names models list --names; _files}' \
        '(--offline)--offline[Use what is on disk; never ask a hub.]' \
        '(--ctx-size)--ctx-size=[Tokens that prompt and answer may have together; 0\: what the prompt needs (`serve`\: 4096), within what the model was trained for.]:N: ' \
        '(--threads)--threads=[Compute with N threads.]:N: ' \
        '(--gpu-layers)--gpu-layers=[Layers on the GPU; auto\: all that fit, where there is one.]:auto|N:(auto)' \
        '(--main-gpu)--main-gpu=[Use one GPU alone, the N-th; `tgicli doctor` counts them from 0.]:N: ' \
        '(--tensor-split)--tensor-split=[Spread the layers over the GPUs in this proportion.]:A,B,...: ' \
        '(--flash-attn)--flash-attn=[Use flash attention.]:auto|on|off:(auto on off)' \
        '(--kv-type)--kv-type=[How the KV cache stores its values\: f32, f16, bf16, q8_0 or q4_0.]:TYPE:(f32 f16 bf16 q8_0 q4_0)' \
        '(--batch-size)--batch-size=[Tokens computed at once, at most.]:N: ' \
        '*--lora=[Apply an adapter. Repeatable; TGICLI_LORA holds one.]:FILE\[=SCALE\]:_files' \
        '(--mmap --no-mmap)'{--mmap,--no-mmap}'[Map the file into memory, or read it whole, into huge pages where there are some.]' \
        '(--mlock)--mlock[Keep the model in RAM, never swapped.]' \
        '(--prefix-reuse --no-prefix-reuse)'{--prefix-reuse,--no-prefix-reuse}'[Compute a beginning that prompts share only once.]' \
        '*--lora-adapters=[Load adapters that requests choose by name (adapter_id, or OpenAI'\''s model). Repeatable.]:NAME=FILE,...: ' \
        '(--traceback)--traceback[With an error, show where it was raised.]' \
        '(--profile)--profile=[Let the configuration file'\''s \[profiles.NAME\] win over the rest of it.]:NAME:{_tgicli_names config profiles --names; true}' \
        '(-h --help)'{-h,--help}'[Show this page and exit.]'
}

_tgicli_bench() {
    local context state state_descr line
    typeset -A opt_args
    _arguments -C -s -S \
        '(-c --concurrency)'{-c+,--concurrency=}'[So many users, each of whom asks again once answered; a load point for each N.]:N,...: ' \
        '(--rate)--rate=[Send R requests a second, whatever becomes of those before; a load point for each. A model in this process computes 8 at once; the others wait.]:R,...: ' \
        '(--arrival)--arrival=[When --rate sends\: constant, poisson, gamma\:K (a smaller K\: burstier) or burst\:N.]:KIND: ' \
        '(--burstiness)--burstiness=[The same as --arrival gamma\:K; 1 is poisson.]:K: ' \
        '(--burst)--burst=[The same as --arrival burst\:N\: N at once, then none until --rate allows the next N.]:N: ' \
        '(--ramp)--ramp=[Let the rate go from A to B requests a second within S seconds.]:A\:B\:S: ' \
        '(--trace)--trace=[Send what FILE says when it says it\: JSON lines with `timestamp` and a prompt, or its length and its answer'\''s.]:FILE:_files' \
        '(--sweep)--sweep[Raise the concurrency until it brings no more.]' \
        '(--max-in-flight)--max-in-flight=[With --rate\: a request that would be one more is dropped, and counted. With --sweep or --find-max\: the most users. Without\: --concurrency N.]:N: ' \
        '(--prompt-tokens)--prompt-tokens=[Tokens of a prompt\: 256, 256+-64 (mean and deviation) or 128..512. Each begins anew, so that no prefix cache is measured.]:N: ' \
        '(--output-tokens)--output-tokens=[Tokens to ask for, in the same words.]:N: ' \
        '(--shared-prefix)--shared-prefix=[Let all prompts begin with the same N tokens more, to measure a prefix cache.]:N: ' \
        '(--dataset)--dataset=[Ask FILE'\''s prompts\: JSON lines with `prompt` or `messages`, or ShareGPT'\''s JSON.]:FILE:_files' \
        '(--chat --no-chat)'{--chat,--no-chat}'[Ask as a conversation, or send the prompt as it is.]' \
        '(--ignore-eos --no-ignore-eos)'{--ignore-eos,--no-ignore-eos}'[Ask for all tokens, where the server allows it, or let the model end.]' \
        '(--duration)--duration=[Measure each load point for so long, after its warm-up.]:TIME: ' \
        '(--requests)--requests=[Or until N requests were measured.]:N: ' \
        '(--warmup)--warmup=[Warm up at the load itself, and go on into measuring; auto\: until it is steady, at a rate for a quarter of the duration, 10 s at most.]:auto|TIME:(auto)' \
        '(--repeat)--repeat=[Measure all load points N times over; from 3 on the intervals are those of repeats.]:N: ' \
        '(--seed)--seed=[Ask the same prompts at the same times again.]:N: ' \
        '(--floor --no-floor)'{--floor,--no-floor}'[Before each load point, measure for 2 s what this client adds by itself.]' \
        '(--llama-bench-rows)--llama-bench-rows[With a model in this process\: measure pp512 and tg128 first, five times each, as llama-bench does; but sampling, detokenising and Python are included.]' \
        '(--slo)--slo=[Count the requests that meet an objective\: ttft\:200,tpot\:50; also e2el, icl, stall and ttft_sched.]:KEY\:MS,...: ' \
        '(--find-max)--find-max[Find the largest concurrency that meets --slo.]' \
        '(--strict)--strict[Return 3 when a load point misses --slo, or a search finds none that meets it, and 5 when a comparison is undecided, or time was up before all was measured.]' \
        '(--check)--check[Look at the text, too\: the same under load as alone, and no other request'\''s.]' \
        '(--vs)--vs=[Measure TARGET beside it, in turns (A B B A), and say which is faster.]:TARGET: ' \
        '(--vs-api-key-file)--vs-api-key-file=[Its key; ours and our headers go to the same host only.]:FILE:_files' \
        '(--noise)--noise[Compare it with itself\: how large a difference is that is none.]' \
        '(--stream-vs-full)--stream-vs-full[Ask everything twice, streamed and whole\: what streaming gains, and costs.]' \
        '(-o --out --json)'{-o+,--out=,--json=}'[Write the result to FILE as JSON; `-`\: to stdout, instead of the table.]:FILE:_files' \
        '(--html)--html=[Write a report with charts, one file in all.]:FILE:_files' \
        '(--md)--md=[Write a Markdown table.]:FILE:_files' \
        '(--csv)--csv=[Write a table of all figures.]:FILE:_files' \
        '(--records)--records=[Write each request'\''s stamps as JSON lines\: `tgicli bench report FILE` computes all figures from them again.]:FILE:_files' \
        '(--live --no-live)'{--live,--no-live}'[Draw a panel on a terminal, or say a line.]' \
        '(-q --quiet)'{-q,--quiet}'[No progress and no notes on stderr.]' \
        '(-e --endpoint)'{-e+,--endpoint=}'[Ask a TGI or OpenAI server\: http\://HOST\:PORT, the URL of one of its routes, or unix\:/PATH. --model then names one of its models.]:URL: ' \
        '(--api)--api=[Speak tgi, openai-chat or openai-completions.]:DIALECT:(tgi openai-chat openai-completions)' \
        '(--api-key)--api-key=[The key; in TGICLI_API_KEY or the configuration file, for others see a command line.]:KEY: ' \
        '(--api-key-file)--api-key-file=[Read the key from FILE.]:FILE:_files' \
        '(--api-key-command)--api-key-command=[Let a shell run COMMAND, which prints the key.]:COMMAND: ' \
        '*'{-H+,--header=}'[Send a header. Repeatable; TGICLI_HEADER holds one.]:'\''NAME\: VALUE'\'': ' \
        '(--retries)--retries=[A bench asks once\: what a busy server refuses is counted as refused.]:0: ' \
        '(--timeout)--timeout=[Give up an answer after S seconds, a model'\''s here, too; 0\: never.]:S: ' \
        '(--connect-timeout)--connect-timeout=[Seconds to wait for a connection; 0\: any.]:S: ' \
        '(--first-token-timeout)--first-token-timeout=[Seconds to the first token; 0\: any.]:S: ' \
        '(--token-timeout)--token-timeout=[Seconds between two tokens; 0\: any.]:S: ' \
        '(-m --model)'{-m+,--model=}'[A GGUF file, or ORG/NAME\[\:QUANT|\:FILE\] from a hub, downloaded once.]:MODEL:{_tgicli_names models list --names; _files}' \
        '(--offline)--offline[Use what is on disk; never ask a hub.]' \
        '(--ctx-size)--ctx-size=[Tokens that prompt and answer may have together; 0\: what the prompt needs (`serve`\: 4096), within what the model was trained for.]:N: ' \
        '(--threads)--threads=[Compute with N threads.]:N: ' \
        '(--gpu-layers)--gpu-layers=[Layers on the GPU; auto\: all that fit, where there is one.]:auto|N:(auto)' \
        '(--main-gpu)--main-gpu=[Use one GPU alone, the N-th; `tgicli doctor` counts them from 0.]:N: ' \
        '(--tensor-split)--tensor-split=[Spread the layers over the GPUs in this proportion.]:A,B,...: ' \
        '(--flash-attn)--flash-attn=[Use flash attention.]:auto|on|off:(auto on off)' \
        '(--kv-type)--kv-type=[How the KV cache stores its values\: f32, f16, bf16, q8_0 or q4_0.]:TYPE:(f32 f16 bf16 q8_0 q4_0)' \
        '(--batch-size)--batch-size=[Tokens computed at once, at most.]:N: ' \
        '*--lora=[Apply an adapter. Repeatable; TGICLI_LORA holds one.]:FILE\[=SCALE\]:_files' \
        '(--mmap --no-mmap)'{--mmap,--no-mmap}'[Map the file into memory, or read it whole, into huge pages where there are some.]' \
        '(--mlock)--mlock[Keep the model in RAM, never swapped.]' \
        '(--prefix-reuse --no-prefix-reuse)'{--prefix-reuse,--no-prefix-reuse}'[Compute a beginning that prompts share only once.]' \
        '(--traceback)--traceback[With an error, show where it was raised.]' \
        '(--profile)--profile=[Let the configuration file'\''s \[profiles.NAME\] win over the rest of it.]:NAME:{_tgicli_names config profiles --names; true}' \
        '(-h --help)'{-h,--help}'[Show this page and exit.]' \
        '1:command:->command' \
        '*::argument:->argument'
    case $state in
        command)
            local -a commands=(
                'run:Measure how fast a model or a server answers.'
                'compare:Compare two results, and say whether the second one is worse.'
                'report:Show a result again; from records, all figures are computed anew.'
                'selftest:Measure what this client adds by itself, on this machine.'
            )
            _describe command commands
            ;;
        argument)
            case $words[1] in
                run) _tgicli_bench_run ;;
                compare) _tgicli_bench_compare ;;
                report) _tgicli_bench_report ;;
                selftest) _tgicli_bench_selftest ;;
            esac
            ;;
    esac
}

_tgicli_bench_run() {
    _arguments -s -S \
        '(-c --concurrency)'{-c+,--concurrency=}'[So many users, each of whom asks again once answered; a load point for each N.]:N,...: ' \
        '(--rate)--rate=[Send R requests a second, whatever becomes of those before; a load point for each. A model in this process computes 8 at once; the others wait.]:R,...: ' \
        '(--arrival)--arrival=[When --rate sends\: constant, poisson, gamma\:K (a smaller K\: burstier) or burst\:N.]:KIND: ' \
        '(--burstiness)--burstiness=[The same as --arrival gamma\:K; 1 is poisson.]:K: ' \
        '(--burst)--burst=[The same as --arrival burst\:N\: N at once, then none until --rate allows the next N.]:N: ' \
        '(--ramp)--ramp=[Let the rate go from A to B requests a second within S seconds.]:A\:B\:S: ' \
        '(--trace)--trace=[Send what FILE says when it says it\: JSON lines with `timestamp` and a prompt, or its length and its answer'\''s.]:FILE:_files' \
        '(--sweep)--sweep[Raise the concurrency until it brings no more.]' \
        '(--max-in-flight)--max-in-flight=[With --rate\: a request that would be one more is dropped, and counted. With --sweep or --find-max\: the most users. Without\: --concurrency N.]:N: ' \
        '(--prompt-tokens)--prompt-tokens=[Tokens of a prompt\: 256, 256+-64 (mean and deviation) or 128..512. Each begins anew, so that no prefix cache is measured.]:N: ' \
        '(--output-tokens)--output-tokens=[Tokens to ask for, in the same words.]:N: ' \
        '(--shared-prefix)--shared-prefix=[Let all prompts begin with the same N tokens more, to measure a prefix cache.]:N: ' \
        '(--dataset)--dataset=[Ask FILE'\''s prompts\: JSON lines with `prompt` or `messages`, or ShareGPT'\''s JSON.]:FILE:_files' \
        '(--chat --no-chat)'{--chat,--no-chat}'[Ask as a conversation, or send the prompt as it is.]' \
        '(--ignore-eos --no-ignore-eos)'{--ignore-eos,--no-ignore-eos}'[Ask for all tokens, where the server allows it, or let the model end.]' \
        '(--duration)--duration=[Measure each load point for so long, after its warm-up.]:TIME: ' \
        '(--requests)--requests=[Or until N requests were measured.]:N: ' \
        '(--warmup)--warmup=[Warm up at the load itself, and go on into measuring; auto\: until it is steady, at a rate for a quarter of the duration, 10 s at most.]:auto|TIME:(auto)' \
        '(--repeat)--repeat=[Measure all load points N times over; from 3 on the intervals are those of repeats.]:N: ' \
        '(--seed)--seed=[Ask the same prompts at the same times again.]:N: ' \
        '(--floor --no-floor)'{--floor,--no-floor}'[Before each load point, measure for 2 s what this client adds by itself.]' \
        '(--llama-bench-rows)--llama-bench-rows[With a model in this process\: measure pp512 and tg128 first, five times each, as llama-bench does; but sampling, detokenising and Python are included.]' \
        '(--slo)--slo=[Count the requests that meet an objective\: ttft\:200,tpot\:50; also e2el, icl, stall and ttft_sched.]:KEY\:MS,...: ' \
        '(--find-max)--find-max[Find the largest concurrency that meets --slo.]' \
        '(--strict)--strict[Return 3 when a load point misses --slo, or a search finds none that meets it, and 5 when a comparison is undecided, or time was up before all was measured.]' \
        '(--check)--check[Look at the text, too\: the same under load as alone, and no other request'\''s.]' \
        '(--vs)--vs=[Measure TARGET beside it, in turns (A B B A), and say which is faster.]:TARGET: ' \
        '(--vs-api-key-file)--vs-api-key-file=[Its key; ours and our headers go to the same host only.]:FILE:_files' \
        '(--noise)--noise[Compare it with itself\: how large a difference is that is none.]' \
        '(--stream-vs-full)--stream-vs-full[Ask everything twice, streamed and whole\: what streaming gains, and costs.]' \
        '(-o --out --json)'{-o+,--out=,--json=}'[Write the result to FILE as JSON; `-`\: to stdout, instead of the table.]:FILE:_files' \
        '(--html)--html=[Write a report with charts, one file in all.]:FILE:_files' \
        '(--md)--md=[Write a Markdown table.]:FILE:_files' \
        '(--csv)--csv=[Write a table of all figures.]:FILE:_files' \
        '(--records)--records=[Write each request'\''s stamps as JSON lines\: `tgicli bench report FILE` computes all figures from them again.]:FILE:_files' \
        '(--live --no-live)'{--live,--no-live}'[Draw a panel on a terminal, or say a line.]' \
        '(-q --quiet)'{-q,--quiet}'[No progress and no notes on stderr.]' \
        '(-e --endpoint)'{-e+,--endpoint=}'[Ask a TGI or OpenAI server\: http\://HOST\:PORT, the URL of one of its routes, or unix\:/PATH. --model then names one of its models.]:URL: ' \
        '(--api)--api=[Speak tgi, openai-chat or openai-completions.]:DIALECT:(tgi openai-chat openai-completions)' \
        '(--api-key)--api-key=[The key; in TGICLI_API_KEY or the configuration file, for others see a command line.]:KEY: ' \
        '(--api-key-file)--api-key-file=[Read the key from FILE.]:FILE:_files' \
        '(--api-key-command)--api-key-command=[Let a shell run COMMAND, which prints the key.]:COMMAND: ' \
        '*'{-H+,--header=}'[Send a header. Repeatable; TGICLI_HEADER holds one.]:'\''NAME\: VALUE'\'': ' \
        '(--retries)--retries=[A bench asks once\: what a busy server refuses is counted as refused.]:0: ' \
        '(--timeout)--timeout=[Give up an answer after S seconds, a model'\''s here, too; 0\: never.]:S: ' \
        '(--connect-timeout)--connect-timeout=[Seconds to wait for a connection; 0\: any.]:S: ' \
        '(--first-token-timeout)--first-token-timeout=[Seconds to the first token; 0\: any.]:S: ' \
        '(--token-timeout)--token-timeout=[Seconds between two tokens; 0\: any.]:S: ' \
        '(-m --model)'{-m+,--model=}'[A GGUF file, or ORG/NAME\[\:QUANT|\:FILE\] from a hub, downloaded once.]:MODEL:{_tgicli_names models list --names; _files}' \
        '(--offline)--offline[Use what is on disk; never ask a hub.]' \
        '(--ctx-size)--ctx-size=[Tokens that prompt and answer may have together; 0\: what the prompt needs (`serve`\: 4096), within what the model was trained for.]:N: ' \
        '(--threads)--threads=[Compute with N threads.]:N: ' \
        '(--gpu-layers)--gpu-layers=[Layers on the GPU; auto\: all that fit, where there is one.]:auto|N:(auto)' \
        '(--main-gpu)--main-gpu=[Use one GPU alone, the N-th; `tgicli doctor` counts them from 0.]:N: ' \
        '(--tensor-split)--tensor-split=[Spread the layers over the GPUs in this proportion.]:A,B,...: ' \
        '(--flash-attn)--flash-attn=[Use flash attention.]:auto|on|off:(auto on off)' \
        '(--kv-type)--kv-type=[How the KV cache stores its values\: f32, f16, bf16, q8_0 or q4_0.]:TYPE:(f32 f16 bf16 q8_0 q4_0)' \
        '(--batch-size)--batch-size=[Tokens computed at once, at most.]:N: ' \
        '*--lora=[Apply an adapter. Repeatable; TGICLI_LORA holds one.]:FILE\[=SCALE\]:_files' \
        '(--mmap --no-mmap)'{--mmap,--no-mmap}'[Map the file into memory, or read it whole, into huge pages where there are some.]' \
        '(--mlock)--mlock[Keep the model in RAM, never swapped.]' \
        '(--prefix-reuse --no-prefix-reuse)'{--prefix-reuse,--no-prefix-reuse}'[Compute a beginning that prompts share only once.]' \
        '(--traceback)--traceback[With an error, show where it was raised.]' \
        '(--profile)--profile=[Let the configuration file'\''s \[profiles.NAME\] win over the rest of it.]:NAME:{_tgicli_names config profiles --names; true}' \
        '(-h --help)'{-h,--help}'[Show this page and exit.]' \
        '*:TARGET: '
}

_tgicli_bench_compare() {
    _arguments -s -S \
        '(--fail-on)--fail-on=[Return 3 when one holds beyond doubt\: tpot>5%,output_tps<-5%.]:CONDITIONS: ' \
        '(--strict)--strict[Return 5 when a condition can'\''t be decided.]' \
        '(--allow-differences)--allow-differences[Compare different work, too, such as two models; the differences are told.]' \
        '(--traceback)--traceback[With an error, show where it was raised.]' \
        '(--profile)--profile=[Let the configuration file'\''s \[profiles.NAME\] win over the rest of it.]:NAME:{_tgicli_names config profiles --names; true}' \
        '(-h --help)'{-h,--help}'[Show this page and exit.]' \
        '*:BASE:_files'
}

_tgicli_bench_report() {
    _arguments -s -S \
        '(--html)--html=[Write a report with charts.]:FILE:_files' \
        '(--md)--md=[Write a Markdown table.]:FILE:_files' \
        '(--csv)--csv=[Write a table of all figures.]:FILE:_files' \
        '(-o --out --json)'{-o+,--out=,--json=}'[Write it as JSON; `-`\: stdout.]:FILE:_files' \
        '(--traceback)--traceback[With an error, show where it was raised.]' \
        '(--profile)--profile=[Let the configuration file'\''s \[profiles.NAME\] win over the rest of it.]:NAME:{_tgicli_names config profiles --names; true}' \
        '(-h --help)'{-h,--help}'[Show this page and exit.]' \
        '*:FILE:_files'
}

_tgicli_bench_selftest() {
    _arguments -s -S \
        '(--traceback)--traceback[With an error, show where it was raised.]' \
        '(--profile)--profile=[Let the configuration file'\''s \[profiles.NAME\] win over the rest of it.]:NAME:{_tgicli_names config profiles --names; true}' \
        '(-h --help)'{-h,--help}'[Show this page and exit.]'
}

_tgicli_models() {
    local context state state_descr line
    typeset -A opt_args
    _arguments -C -s -S \
        '(--traceback)--traceback[With an error, show where it was raised.]' \
        '(--profile)--profile=[Let the configuration file'\''s \[profiles.NAME\] win over the rest of it.]:NAME:{_tgicli_names config profiles --names; true}' \
        '(-h --help)'{-h,--help}'[Show this page and exit.]' \
        '1:command:->command' \
        '*::argument:->argument'
    case $state in
        command)
            local -a commands=(
                'list:List the models on disk\: the demo, and what was downloaded from a hub, by any program.'
                'pull:Download a model from a hub, or update it, and print its path.'
                'info:Show what is known of a model on disk.'
            )
            _describe command commands
            ;;
        argument)
            case $words[1] in
                list) _tgicli_models_list ;;
                pull) _tgicli_models_pull ;;
                info) _tgicli_models_info ;;
            esac
            ;;
    esac
}

_tgicli_models_list() {
    _arguments -s -S \
        '(--json)--json[As JSON.]' \
        '(--names)--names[The names alone.]' \
        '(--traceback)--traceback[With an error, show where it was raised.]' \
        '(--profile)--profile=[Let the configuration file'\''s \[profiles.NAME\] win over the rest of it.]:NAME:{_tgicli_names config profiles --names; true}' \
        '(-h --help)'{-h,--help}'[Show this page and exit.]'
}

_tgicli_models_pull() {
    _arguments -s -S \
        '(--traceback)--traceback[With an error, show where it was raised.]' \
        '(--profile)--profile=[Let the configuration file'\''s \[profiles.NAME\] win over the rest of it.]:NAME:{_tgicli_names config profiles --names; true}' \
        '(-h --help)'{-h,--help}'[Show this page and exit.]' \
        '*:NAME:{_tgicli_names models list --names; true}'
}

_tgicli_models_info() {
    _arguments -s -S \
        '(--json)--json[As JSON.]' \
        '(--template)--template[Print the chat template and nothing else.]' \
        '(--traceback)--traceback[With an error, show where it was raised.]' \
        '(--profile)--profile=[Let the configuration file'\''s \[profiles.NAME\] win over the rest of it.]:NAME:{_tgicli_names config profiles --names; true}' \
        '(-h --help)'{-h,--help}'[Show this page and exit.]' \
        '*:NAME:{_tgicli_names models list --names; true}'
}

_tgicli_config() {
    local context state state_descr line
    typeset -A opt_args
    _arguments -C -s -S \
        '(--json)--json[As one JSON object.]' \
        '(--traceback)--traceback[With an error, show where it was raised.]' \
        '(--profile)--profile=[Let the configuration file'\''s \[profiles.NAME\] win over the rest of it.]:NAME:{_tgicli_names config profiles --names; true}' \
        '(-h --help)'{-h,--help}'[Show this page and exit.]' \
        '1:command:->command' \
        '*::argument:->argument'
    case $state in
        command)
            local -a commands=(
                'path:Print the configuration file'\''s path, whether there is one or not.'
                'profiles:Show the profiles, and what each one sets.'
            )
            _describe command commands
            ;;
        argument)
            case $words[1] in
                path) _tgicli_config_path ;;
                profiles) _tgicli_config_profiles ;;
            esac
            ;;
    esac
}

_tgicli_config_path() {
    _arguments -s -S \
        '(--traceback)--traceback[With an error, show where it was raised.]' \
        '(--profile)--profile=[Let the configuration file'\''s \[profiles.NAME\] win over the rest of it.]:NAME:{_tgicli_names config profiles --names; true}' \
        '(-h --help)'{-h,--help}'[Show this page and exit.]'
}

_tgicli_config_profiles() {
    _arguments -s -S \
        '(--json)--json[As one JSON object.]' \
        '(--names)--names[The names alone, one a line.]' \
        '(--traceback)--traceback[With an error, show where it was raised.]' \
        '(--profile)--profile=[Let the configuration file'\''s \[profiles.NAME\] win over the rest of it.]:NAME:{_tgicli_names config profiles --names; true}' \
        '(-h --help)'{-h,--help}'[Show this page and exit.]'
}

_tgicli_doctor() {
    _arguments -s -S \
        '(--json)--json[As one JSON object.]' \
        '(--max-batch-size)--max-batch-size=[Requests computed at once, as in `serve`.]:N: ' \
        '(-m --model)'{-m+,--model=}'[A GGUF file, or ORG/NAME\[\:QUANT|\:FILE\] from a hub, downloaded once.]:MODEL:{_tgicli_names models list --names; _files}' \
        '(--offline)--offline[Use what is on disk; never ask a hub.]' \
        '(--ctx-size)--ctx-size=[Tokens that prompt and answer may have together; 0\: what the prompt needs (`serve`\: 4096), within what the model was trained for.]:N: ' \
        '(--threads)--threads=[Compute with N threads.]:N: ' \
        '(--gpu-layers)--gpu-layers=[Layers on the GPU; auto\: all that fit, where there is one.]:auto|N:(auto)' \
        '(--main-gpu)--main-gpu=[Use one GPU alone, the N-th; `tgicli doctor` counts them from 0.]:N: ' \
        '(--tensor-split)--tensor-split=[Spread the layers over the GPUs in this proportion.]:A,B,...: ' \
        '(--flash-attn)--flash-attn=[Use flash attention.]:auto|on|off:(auto on off)' \
        '(--kv-type)--kv-type=[How the KV cache stores its values\: f32, f16, bf16, q8_0 or q4_0.]:TYPE:(f32 f16 bf16 q8_0 q4_0)' \
        '(--batch-size)--batch-size=[Tokens computed at once, at most.]:N: ' \
        '*--lora=[Apply an adapter. Repeatable; TGICLI_LORA holds one.]:FILE\[=SCALE\]:_files' \
        '(--mmap --no-mmap)'{--mmap,--no-mmap}'[Map the file into memory, or read it whole, into huge pages where there are some.]' \
        '(--mlock)--mlock[Keep the model in RAM, never swapped.]' \
        '(--prefix-reuse --no-prefix-reuse)'{--prefix-reuse,--no-prefix-reuse}'[Compute a beginning that prompts share only once.]' \
        '(--traceback)--traceback[With an error, show where it was raised.]' \
        '(--profile)--profile=[Let the configuration file'\''s \[profiles.NAME\] win over the rest of it.]:NAME:{_tgicli_names config profiles --names; true}' \
        '(-h --help)'{-h,--help}'[Show this page and exit.]' \
        '*:MODEL:{_tgicli_names models list --names; _files}'
}

_tgicli_completion() {
    _arguments -s -S \
        '(--traceback)--traceback[With an error, show where it was raised.]' \
        '(--profile)--profile=[Let the configuration file'\''s \[profiles.NAME\] win over the rest of it.]:NAME:{_tgicli_names config profiles --names; true}' \
        '(-h --help)'{-h,--help}'[Show this page and exit.]' \
        '*:bash|zsh|fish:(bash zsh fish)'
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _tgicli "$@"
else
    compdef _tgicli tgicli
fi
