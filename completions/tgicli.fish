# This is what `tgicli completion fish` prints; a change here would not last.
function __tgicli_at --description 'Whether the command before the cursor is this one'
    set -l at tgicli
    set -l is_value
    for word in (commandline -opc)[2..]
        if set -q is_value[1]
            set -e is_value
            continue
        end
        switch "$at $word"
            case 'tgicli generate'
                set at 'tgicli generate'
            case 'tgicli chat'
                set at 'tgicli chat'
            case 'tgicli serve'
                set at 'tgicli serve'
            case 'tgicli models'
                set at 'tgicli models'
            case 'tgicli config'
                set at 'tgicli config'
            case 'tgicli completion'
                set at 'tgicli completion'
            case 'tgicli --profile'
                set is_value yes
            case 'tgicli generate -f' 'tgicli generate --file'
                set is_value yes
            case 'tgicli generate -s' 'tgicli generate --system'
                set is_value yes
            case 'tgicli generate --truncate'
                set is_value yes
            case 'tgicli generate --max-new-tokens'
                set is_value yes
            case 'tgicli generate --temperature'
                set is_value yes
            case 'tgicli generate --top-k'
                set is_value yes
            case 'tgicli generate --top-p'
                set is_value yes
            case 'tgicli generate --typical-p'
                set is_value yes
            case 'tgicli generate --min-p'
                set is_value yes
            case 'tgicli generate --repetition-penalty'
                set is_value yes
            case 'tgicli generate --frequency-penalty'
                set is_value yes
            case 'tgicli generate --presence-penalty'
                set is_value yes
            case 'tgicli generate --stop'
                set is_value yes
            case 'tgicli generate --seed'
                set is_value yes
            case 'tgicli generate --best-of'
                set is_value yes
            case 'tgicli generate --top-n-tokens'
                set is_value yes
            case 'tgicli generate --reasoning'
                set is_value yes
            case 'tgicli generate -e' 'tgicli generate --endpoint'
                set is_value yes
            case 'tgicli generate --api'
                set is_value yes
            case 'tgicli generate --api-key'
                set is_value yes
            case 'tgicli generate --api-key-file'
                set is_value yes
            case 'tgicli generate --api-key-command'
                set is_value yes
            case 'tgicli generate -H' 'tgicli generate --header'
                set is_value yes
            case 'tgicli generate --retries'
                set is_value yes
            case 'tgicli generate --timeout'
                set is_value yes
            case 'tgicli generate --connect-timeout'
                set is_value yes
            case 'tgicli generate --first-token-timeout'
                set is_value yes
            case 'tgicli generate --token-timeout'
                set is_value yes
            case 'tgicli generate --input'
                set is_value yes
            case 'tgicli generate -o' 'tgicli generate --output'
                set is_value yes
            case 'tgicli generate --concurrency'
                set is_value yes
            case 'tgicli generate --input-format'
                set is_value yes
            case 'tgicli generate --give-up-after'
                set is_value yes
            case 'tgicli generate -m' 'tgicli generate --model'
                set is_value yes
            case 'tgicli generate --ctx-size'
                set is_value yes
            case 'tgicli generate --threads'
                set is_value yes
            case 'tgicli generate --gpu-layers'
                set is_value yes
            case 'tgicli generate --flash-attn'
                set is_value yes
            case 'tgicli generate --kv-type'
                set is_value yes
            case 'tgicli generate --batch-size'
                set is_value yes
            case 'tgicli generate --lora'
                set is_value yes
            case 'tgicli generate --profile'
                set is_value yes
            case 'tgicli chat -s' 'tgicli chat --system'
                set is_value yes
            case 'tgicli chat --max-new-tokens'
                set is_value yes
            case 'tgicli chat --temperature'
                set is_value yes
            case 'tgicli chat --top-k'
                set is_value yes
            case 'tgicli chat --top-p'
                set is_value yes
            case 'tgicli chat --typical-p'
                set is_value yes
            case 'tgicli chat --min-p'
                set is_value yes
            case 'tgicli chat --repetition-penalty'
                set is_value yes
            case 'tgicli chat --frequency-penalty'
                set is_value yes
            case 'tgicli chat --presence-penalty'
                set is_value yes
            case 'tgicli chat --stop'
                set is_value yes
            case 'tgicli chat --seed'
                set is_value yes
            case 'tgicli chat --reasoning'
                set is_value yes
            case 'tgicli chat -e' 'tgicli chat --endpoint'
                set is_value yes
            case 'tgicli chat --api'
                set is_value yes
            case 'tgicli chat --api-key'
                set is_value yes
            case 'tgicli chat --api-key-file'
                set is_value yes
            case 'tgicli chat --api-key-command'
                set is_value yes
            case 'tgicli chat -H' 'tgicli chat --header'
                set is_value yes
            case 'tgicli chat --retries'
                set is_value yes
            case 'tgicli chat --timeout'
                set is_value yes
            case 'tgicli chat --connect-timeout'
                set is_value yes
            case 'tgicli chat --first-token-timeout'
                set is_value yes
            case 'tgicli chat --token-timeout'
                set is_value yes
            case 'tgicli chat -m' 'tgicli chat --model'
                set is_value yes
            case 'tgicli chat --ctx-size'
                set is_value yes
            case 'tgicli chat --threads'
                set is_value yes
            case 'tgicli chat --gpu-layers'
                set is_value yes
            case 'tgicli chat --flash-attn'
                set is_value yes
            case 'tgicli chat --kv-type'
                set is_value yes
            case 'tgicli chat --batch-size'
                set is_value yes
            case 'tgicli chat --lora'
                set is_value yes
            case 'tgicli chat --profile'
                set is_value yes
            case 'tgicli serve --hostname'
                set is_value yes
            case 'tgicli serve -p' 'tgicli serve --port'
                set is_value yes
            case 'tgicli serve --uds'
                set is_value yes
            case 'tgicli serve --ssl-certfile'
                set is_value yes
            case 'tgicli serve --ssl-keyfile'
                set is_value yes
            case 'tgicli serve --max-concurrent-requests'
                set is_value yes
            case 'tgicli serve --max-batch-size'
                set is_value yes
            case 'tgicli serve --max-total-tokens'
                set is_value yes
            case 'tgicli serve --max-input-tokens'
                set is_value yes
            case 'tgicli serve --max-batch-prefill-tokens'
                set is_value yes
            case 'tgicli serve --max-queue-wait'
                set is_value yes
            case 'tgicli serve --payload-limit'
                set is_value yes
            case 'tgicli serve --max-best-of'
                set is_value yes
            case 'tgicli serve --max-stop-sequences'
                set is_value yes
            case 'tgicli serve --max-top-n-tokens'
                set is_value yes
            case 'tgicli serve --max-client-batch-size'
                set is_value yes
            case 'tgicli serve --shutdown-timeout'
                set is_value yes
            case 'tgicli serve --stall-timeout'
                set is_value yes
            case 'tgicli serve --api-key'
                set is_value yes
            case 'tgicli serve --api-key-file'
                set is_value yes
            case 'tgicli serve --cors-allow-origin'
                set is_value yes
            case 'tgicli serve --connect'
                set is_value yes
            case 'tgicli serve --connect-api'
                set is_value yes
            case 'tgicli serve --connect-model'
                set is_value yes
            case 'tgicli serve --connect-key'
                set is_value yes
            case 'tgicli serve --connect-key-file'
                set is_value yes
            case 'tgicli serve -m' 'tgicli serve --model'
                set is_value yes
            case 'tgicli serve --ctx-size'
                set is_value yes
            case 'tgicli serve --threads'
                set is_value yes
            case 'tgicli serve --gpu-layers'
                set is_value yes
            case 'tgicli serve --flash-attn'
                set is_value yes
            case 'tgicli serve --kv-type'
                set is_value yes
            case 'tgicli serve --batch-size'
                set is_value yes
            case 'tgicli serve --lora'
                set is_value yes
            case 'tgicli serve --lora-adapters'
                set is_value yes
            case 'tgicli serve --profile'
                set is_value yes
            case 'tgicli models list'
                set at 'tgicli models list'
            case 'tgicli models pull'
                set at 'tgicli models pull'
            case 'tgicli models info'
                set at 'tgicli models info'
            case 'tgicli models --profile'
                set is_value yes
            case 'tgicli models list --profile'
                set is_value yes
            case 'tgicli models pull --profile'
                set is_value yes
            case 'tgicli models info --profile'
                set is_value yes
            case 'tgicli config path'
                set at 'tgicli config path'
            case 'tgicli config profiles'
                set at 'tgicli config profiles'
            case 'tgicli config --profile'
                set is_value yes
            case 'tgicli config path --profile'
                set is_value yes
            case 'tgicli config profiles --profile'
                set is_value yes
            case 'tgicli completion --profile'
                set is_value yes
        end
    end
    test "$at" = "$argv"
end
complete -c tgicli -f
complete -c tgicli -n '__tgicli_at tgicli' -a generate -d 'Stream a model\'s answer to PROMPT.'
complete -c tgicli -n '__tgicli_at tgicli' -a chat -d 'Talk to a model: question, answer, question.'
complete -c tgicli -n '__tgicli_at tgicli' -a serve -d 'Serve a model over HTTP, as text-generation-inference (TGI) does.'
complete -c tgicli -n '__tgicli_at tgicli' -a models -d 'Find and get models.'
complete -c tgicli -n '__tgicli_at tgicli' -a config -d 'Show what every option is set to, and where.'
complete -c tgicli -n '__tgicli_at tgicli' -a completion -d 'Print a shell\'s completions.'
complete -c tgicli -n '__tgicli_at tgicli' -l version -d 'Show the versions of tgicli, Python and llama.cpp, and the devices; then exit.'
complete -c tgicli -n '__tgicli_at tgicli' -l traceback -d 'With an error, show where it was raised.'
complete -c tgicli -n '__tgicli_at tgicli' -l profile -r -f -d 'Let the configuration file\'s [profiles.NAME] win over the rest of it.'
complete -c tgicli -n '__tgicli_at tgicli' -s h -l help -d 'Show this page and exit.'
complete -c tgicli -n '__tgicli_at tgicli generate' -s f -l file -r -F -d 'Read FILE instead of stdin.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l stdin -l no-stdin -d 'Read stdin, however late it comes, or never. Otherwise a pipe beside PROMPT that stays silent for 5 s is left alone.'
complete -c tgicli -n '__tgicli_at tgicli generate' -s s -l system -r -f -d 'Tell the model how to behave.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l chat -l no-chat -d 'Put the prompt into the model\'s chat template, or go on from it as it is.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l truncate -r -f -d 'Keep the last N tokens of the prompt.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l max-new-tokens -r -f -d 'Generate at most N tokens.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l temperature -r -f -d 'Flatten (> 1) or sharpen (< 1) the odds; 0 always takes the likeliest token.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l top-k -r -f -d 'Keep the K likeliest tokens; 0 keeps all.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l top-p -r -f -d 'Keep the likeliest tokens that make up P of the probability; 1 keeps all.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l typical-p -r -f -d 'Keep the locally typical tokens that make up P of the probability; 1 keeps all.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l min-p -r -f -d 'Drop tokens less likely than P times the likeliest; 0 keeps all.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l repetition-penalty -r -f -d 'Make tokens that occurred less likely, X > 1; 1 changes nothing.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l frequency-penalty -r -f -d 'Subtract X, in [-2, 2], from a token\'s logit for each time it occurred.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l presence-penalty -r -f -d 'Subtract X, in [-2, 2], from the logit of each token that occurred.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l stop -r -f -d 'End before this text, which is not shown. Repeatable; TGICLI_STOP holds one.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l seed -r -f -d 'Draw the same tokens again; --stats shows the seed.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l best-of -r -f -d 'Generate N answers and show the likeliest when all are done.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l raw -d 'The answer\'s bytes as they are.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l plain -d 'Text; no colours, no drawn Markdown.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l json -d 'TGI\'s JSON: an object a token, one a line; with --no-stream one in all.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l stream -l no-stream -d 'Show each token when it comes, or all at the end.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l details -d 'With --json --no-stream: why it ended, the seed, all tokens; a stream has them.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l top-n-tokens -r -f -d 'With --json: the N likeliest tokens of each step.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l special -d 'Show special tokens, too.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l reasoning -r -f -a 'show hide stdout' -d 'What a server\'s model thinks before its answer: on stderr, nowhere, or with it.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l stats -d 'Timings and the seed, on stderr.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l dry-run -d 'Generate nothing; print the prompt as the model would see it, or the request to a server as a curl command without the key.'
complete -c tgicli -n '__tgicli_at tgicli generate' -s q -l quiet -d 'No progress and no notes on stderr.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l server -l no-server -d 'Without -m, let a `tgicli serve` of yours answer that has the model loaded.'
complete -c tgicli -n '__tgicli_at tgicli generate' -s e -l endpoint -r -f -d 'Ask a TGI or OpenAI server: http://HOST:PORT, the URL of one of its routes, or unix:/PATH. --model then names one of its models.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l api -r -f -a 'tgi openai-chat openai-completions' -d 'Speak tgi, openai-chat or openai-completions.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l api-key -r -f -d 'The key; by TGICLI_API_KEY only, for others see a command line.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l api-key-file -r -F -d 'Read the key from FILE.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l api-key-command -r -f -d 'Let a shell run COMMAND, which prints the key.'
complete -c tgicli -n '__tgicli_at tgicli generate' -s H -l header -r -f -d 'Send a header. Repeatable; TGICLI_HEADER holds one.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l retries -r -f -d 'Ask a busy server up to N times again, before the first token.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l timeout -r -f -d 'Give up after S seconds in all; 0: never.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l connect-timeout -r -f -d 'Seconds to wait for a connection; 0: any.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l first-token-timeout -r -f -d 'Seconds to the first token; 0: any.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l token-timeout -r -f -d 'Seconds between two tokens; 0: any.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l input -r -F -d 'Answer each line of FILE (`-`: stdin): text, a JSON string, or an object with `prompt` or `messages`, parameters of its own, and keys that its answer repeats.'
complete -c tgicli -n '__tgicli_at tgicli generate' -s o -l output -r -F -d 'Write the answers to FILE, a JSON object a line. The same command again goes on where it was interrupted.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l concurrency -r -f -d 'Ask N prompts at once, at most; fewer while a server is busy.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l input-format -r -f -a 'auto jsonl text' -d 'What FILE is; auto: what its name ends with, or its first line is.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l as-completed -d 'Leave the answers in the order in which they came.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l redo-changed -d 'Ask prompts again that have changed since --output was written.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l restart -d 'Drop the answers in --output, and ask all again.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l fail-fast -d 'Stop at the first prompt that fails. Otherwise the exit status is the greatest of all failures\'.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l give-up-after -r -f -d 'Stop when a server has been busy or gone for S seconds; what is answered stays.'
complete -c tgicli -n '__tgicli_at tgicli generate' -s m -l model -r -F -d 'A GGUF file, or ORG/NAME[:QUANT|:FILE] from a hub, downloaded once.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l offline -d 'Use what is on disk; never ask a hub.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l ctx-size -r -f -d 'Tokens that prompt and answer may have together; 0: what the prompt needs, within what the model was trained for.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l threads -r -f -d 'Compute with N threads.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l gpu-layers -r -f -a 'auto' -d 'Layers on the GPU; auto: all, where there is one.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l flash-attn -r -f -a 'auto on off' -d 'Use flash attention.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l kv-type -r -f -a 'f32 f16 bf16 q8_0 q4_0' -d 'How the KV cache stores its values: f32, f16, bf16, q8_0 or q4_0.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l batch-size -r -f -d 'Tokens computed at once, at most.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l lora -r -F -d 'Apply an adapter. Repeatable; TGICLI_LORA holds one.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l mmap -l no-mmap -d 'Map the file into memory, or read it whole.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l mlock -d 'Keep the model in RAM, never swapped.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l prefix-reuse -l no-prefix-reuse -d 'Compute a beginning that prompts share only once.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l traceback -d 'With an error, show where it was raised.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l profile -r -f -d 'Let the configuration file\'s [profiles.NAME] win over the rest of it.'
complete -c tgicli -n '__tgicli_at tgicli generate' -s h -l help -d 'Show this page and exit.'
complete -c tgicli -n '__tgicli_at tgicli generate' -f
complete -c tgicli -n '__tgicli_at tgicli chat' -s s -l system -r -f -d 'Tell the model how to behave.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l history -l no-history -d 'Keep what is typed for the next sessions, or forget it.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l max-new-tokens -r -f -d 'Generate at most N tokens.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l temperature -r -f -d 'Flatten (> 1) or sharpen (< 1) the odds; 0 always takes the likeliest token.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l top-k -r -f -d 'Keep the K likeliest tokens; 0 keeps all.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l top-p -r -f -d 'Keep the likeliest tokens that make up P of the probability; 1 keeps all.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l typical-p -r -f -d 'Keep the locally typical tokens that make up P of the probability; 1 keeps all.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l min-p -r -f -d 'Drop tokens less likely than P times the likeliest; 0 keeps all.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l repetition-penalty -r -f -d 'Make tokens that occurred less likely, X > 1; 1 changes nothing.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l frequency-penalty -r -f -d 'Subtract X, in [-2, 2], from a token\'s logit for each time it occurred.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l presence-penalty -r -f -d 'Subtract X, in [-2, 2], from the logit of each token that occurred.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l stop -r -f -d 'End before this text, which is not shown. Repeatable; TGICLI_STOP holds one.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l seed -r -f -d 'Draw the same tokens again; --stats shows the seed.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l plain -d 'Text; no colours, no drawn Markdown.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l reasoning -r -f -a 'show hide stdout' -d 'What a server\'s model thinks before its answer: on stderr, nowhere, or with it.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l stats -d 'Tokens and times after each answer, on stderr.'
complete -c tgicli -n '__tgicli_at tgicli chat' -s q -l quiet -d 'No progress and no notes before the answer.'
complete -c tgicli -n '__tgicli_at tgicli chat' -s e -l endpoint -r -f -d 'Ask a TGI or OpenAI server: http://HOST:PORT, the URL of one of its routes, or unix:/PATH. --model then names one of its models.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l api -r -f -a 'tgi openai-chat openai-completions' -d 'Speak tgi, openai-chat or openai-completions.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l api-key -r -f -d 'The key; by TGICLI_API_KEY only, for others see a command line.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l api-key-file -r -F -d 'Read the key from FILE.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l api-key-command -r -f -d 'Let a shell run COMMAND, which prints the key.'
complete -c tgicli -n '__tgicli_at tgicli chat' -s H -l header -r -f -d 'Send a header. Repeatable; TGICLI_HEADER holds one.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l retries -r -f -d 'Ask a busy server up to N times again, before the first token.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l timeout -r -f -d 'Give up after S seconds in all; 0: never.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l connect-timeout -r -f -d 'Seconds to wait for a connection; 0: any.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l first-token-timeout -r -f -d 'Seconds to the first token; 0: any.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l token-timeout -r -f -d 'Seconds between two tokens; 0: any.'
complete -c tgicli -n '__tgicli_at tgicli chat' -s m -l model -r -F -d 'A GGUF file, or ORG/NAME[:QUANT|:FILE] from a hub, downloaded once.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l offline -d 'Use what is on disk; never ask a hub.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l ctx-size -r -f -d 'Tokens that prompt and answer may have together; 0: what the prompt needs, within what the model was trained for.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l threads -r -f -d 'Compute with N threads.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l gpu-layers -r -f -a 'auto' -d 'Layers on the GPU; auto: all, where there is one.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l flash-attn -r -f -a 'auto on off' -d 'Use flash attention.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l kv-type -r -f -a 'f32 f16 bf16 q8_0 q4_0' -d 'How the KV cache stores its values: f32, f16, bf16, q8_0 or q4_0.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l batch-size -r -f -d 'Tokens computed at once, at most.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l lora -r -F -d 'Apply an adapter. Repeatable; TGICLI_LORA holds one.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l mmap -l no-mmap -d 'Map the file into memory, or read it whole.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l mlock -d 'Keep the model in RAM, never swapped.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l prefix-reuse -l no-prefix-reuse -d 'Compute a beginning that prompts share only once.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l traceback -d 'With an error, show where it was raised.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l profile -r -f -d 'Let the configuration file\'s [profiles.NAME] win over the rest of it.'
complete -c tgicli -n '__tgicli_at tgicli chat' -s h -l help -d 'Show this page and exit.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l hostname -r -f -d 'Listen on this address; 0.0.0.0: on all.'
complete -c tgicli -n '__tgicli_at tgicli serve' -s p -l port -r -f -d 'Listen on this port; 0: on any free one, which is printed.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l uds -r -F -d 'Listen on a Unix socket instead.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l ssl-certfile -r -F -d 'Speak TLS with this certificate (PEM).'
complete -c tgicli -n '__tgicli_at tgicli serve' -l ssl-keyfile -r -F -d 'The certificate\'s private key (PEM).'
complete -c tgicli -n '__tgicli_at tgicli serve' -l max-concurrent-requests -r -f -d 'Requests that may run and wait; one more is refused with status 429.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l max-batch-size -r -f -d 'Requests computed at once; others wait.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l max-total-tokens -r -f -d 'Tokens that prompt and answer may have together.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l max-input-tokens -r -f -d 'Tokens that a prompt may have.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l max-batch-prefill-tokens -r -f -d 'Prompt tokens in one step.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l max-queue-wait -r -f -d 'Refuse a request that waited S seconds for its first step.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l payload-limit -r -f -d 'Size of a request\'s body.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l max-best-of -r -f -d 'Largest best_of.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l max-stop-sequences -r -f -d 'Stop strings in a request.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l max-top-n-tokens -r -f -d 'Largest top_n_tokens.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l max-client-batch-size -r -f -d 'Prompts in one request to /v1/completions.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l grammar-support -l no-grammar-support -d 'Allow grammars, or refuse them.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l shutdown-timeout -r -f -d 'On SIGTERM, let running requests finish for S seconds.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l stall-timeout -r -f -d 'Give up a reader that takes nothing for S seconds.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l json-output -d 'Write the access log as JSON.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l live -l no-live -d 'Draw a panel on a terminal, or write plain lines there, too.'
complete -c tgicli -n '__tgicli_at tgicli serve' -s q -l quiet -d 'No access log and no panel.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l api-key -r -f -d 'Ask for this key. Repeatable; others see a command line, so rather use TGICLI_API_KEY or --api-key-file.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l api-key-file -r -F -d 'Ask for one of the keys in FILE, one a line.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l isolate-keys -d 'Reuse prefixes among requests with the same key only.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l cors-allow-origin -r -f -d 'Let pages of this origin ask (`*`: all). Repeatable.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l connect -r -f -d 'Pass requests on to a TGI or OpenAI server: http://HOST:PORT, the URL of one of its routes, or unix:/PATH.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l connect-api -r -f -a 'tgi openai-chat openai-completions' -d 'Speak tgi, openai-chat or openai-completions with it.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l connect-model -r -f -d 'Ask for this model.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l connect-key -r -f -d 'Its key, by TGICLI_CONNECT_KEY only: others see a command line.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l connect-key-file -r -F -d 'Read its key from FILE.'
complete -c tgicli -n '__tgicli_at tgicli serve' -s m -l model -r -F -d 'A GGUF file, or ORG/NAME[:QUANT|:FILE] from a hub, downloaded once.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l offline -d 'Use what is on disk; never ask a hub.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l ctx-size -r -f -d 'Tokens that prompt and answer may have together; 0: what the prompt needs, within what the model was trained for.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l threads -r -f -d 'Compute with N threads.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l gpu-layers -r -f -a 'auto' -d 'Layers on the GPU; auto: all, where there is one.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l flash-attn -r -f -a 'auto on off' -d 'Use flash attention.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l kv-type -r -f -a 'f32 f16 bf16 q8_0 q4_0' -d 'How the KV cache stores its values: f32, f16, bf16, q8_0 or q4_0.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l batch-size -r -f -d 'Tokens computed at once, at most.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l lora -r -F -d 'Apply an adapter. Repeatable; TGICLI_LORA holds one.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l mmap -l no-mmap -d 'Map the file into memory, or read it whole.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l mlock -d 'Keep the model in RAM, never swapped.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l prefix-reuse -l no-prefix-reuse -d 'Compute a beginning that prompts share only once.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l lora-adapters -r -f -d 'Load adapters that requests choose by name (adapter_id, or OpenAI\'s model). Repeatable.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l traceback -d 'With an error, show where it was raised.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l profile -r -f -d 'Let the configuration file\'s [profiles.NAME] win over the rest of it.'
complete -c tgicli -n '__tgicli_at tgicli serve' -s h -l help -d 'Show this page and exit.'
complete -c tgicli -n '__tgicli_at tgicli models' -a list -d 'List the models on disk: the demo, and what was downloaded from a hub, by any program.'
complete -c tgicli -n '__tgicli_at tgicli models' -a pull -d 'Download a model from a hub, or update it, and print its path.'
complete -c tgicli -n '__tgicli_at tgicli models' -a info -d 'Show what is known of a model on disk.'
complete -c tgicli -n '__tgicli_at tgicli models' -l traceback -d 'With an error, show where it was raised.'
complete -c tgicli -n '__tgicli_at tgicli models' -l profile -r -f -d 'Let the configuration file\'s [profiles.NAME] win over the rest of it.'
complete -c tgicli -n '__tgicli_at tgicli models' -s h -l help -d 'Show this page and exit.'
complete -c tgicli -n '__tgicli_at tgicli models list' -l json -d 'As JSON.'
complete -c tgicli -n '__tgicli_at tgicli models list' -l traceback -d 'With an error, show where it was raised.'
complete -c tgicli -n '__tgicli_at tgicli models list' -l profile -r -f -d 'Let the configuration file\'s [profiles.NAME] win over the rest of it.'
complete -c tgicli -n '__tgicli_at tgicli models list' -s h -l help -d 'Show this page and exit.'
complete -c tgicli -n '__tgicli_at tgicli models pull' -l traceback -d 'With an error, show where it was raised.'
complete -c tgicli -n '__tgicli_at tgicli models pull' -l profile -r -f -d 'Let the configuration file\'s [profiles.NAME] win over the rest of it.'
complete -c tgicli -n '__tgicli_at tgicli models pull' -s h -l help -d 'Show this page and exit.'
complete -c tgicli -n '__tgicli_at tgicli models pull' -f
complete -c tgicli -n '__tgicli_at tgicli models info' -l json -d 'As JSON.'
complete -c tgicli -n '__tgicli_at tgicli models info' -l template -d 'Print the chat template and nothing else.'
complete -c tgicli -n '__tgicli_at tgicli models info' -l traceback -d 'With an error, show where it was raised.'
complete -c tgicli -n '__tgicli_at tgicli models info' -l profile -r -f -d 'Let the configuration file\'s [profiles.NAME] win over the rest of it.'
complete -c tgicli -n '__tgicli_at tgicli models info' -s h -l help -d 'Show this page and exit.'
complete -c tgicli -n '__tgicli_at tgicli models info' -f
complete -c tgicli -n '__tgicli_at tgicli config' -a path -d 'Print the configuration file\'s path, whether there is one or not.'
complete -c tgicli -n '__tgicli_at tgicli config' -a profiles -d 'Show the profiles, and what each one sets.'
complete -c tgicli -n '__tgicli_at tgicli config' -l json -d 'As one JSON object.'
complete -c tgicli -n '__tgicli_at tgicli config' -l traceback -d 'With an error, show where it was raised.'
complete -c tgicli -n '__tgicli_at tgicli config' -l profile -r -f -d 'Let the configuration file\'s [profiles.NAME] win over the rest of it.'
complete -c tgicli -n '__tgicli_at tgicli config' -s h -l help -d 'Show this page and exit.'
complete -c tgicli -n '__tgicli_at tgicli config path' -l traceback -d 'With an error, show where it was raised.'
complete -c tgicli -n '__tgicli_at tgicli config path' -l profile -r -f -d 'Let the configuration file\'s [profiles.NAME] win over the rest of it.'
complete -c tgicli -n '__tgicli_at tgicli config path' -s h -l help -d 'Show this page and exit.'
complete -c tgicli -n '__tgicli_at tgicli config profiles' -l json -d 'As one JSON object.'
complete -c tgicli -n '__tgicli_at tgicli config profiles' -l traceback -d 'With an error, show where it was raised.'
complete -c tgicli -n '__tgicli_at tgicli config profiles' -l profile -r -f -d 'Let the configuration file\'s [profiles.NAME] win over the rest of it.'
complete -c tgicli -n '__tgicli_at tgicli config profiles' -s h -l help -d 'Show this page and exit.'
complete -c tgicli -n '__tgicli_at tgicli completion' -l traceback -d 'With an error, show where it was raised.'
complete -c tgicli -n '__tgicli_at tgicli completion' -l profile -r -f -d 'Let the configuration file\'s [profiles.NAME] win over the rest of it.'
complete -c tgicli -n '__tgicli_at tgicli completion' -s h -l help -d 'Show this page and exit.'
complete -c tgicli -n '__tgicli_at tgicli completion' -f -a 'bash zsh fish'
