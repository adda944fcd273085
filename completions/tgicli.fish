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
            case 'tgicli bench'
                set at 'tgicli bench'
            case 'tgicli models'
                set at 'tgicli models'
            case 'tgicli config'
                set at 'tgicli config'
            case 'tgicli doctor'
                set at 'tgicli doctor'
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
            case 'tgicli generate --schema'
                set is_value yes
            case 'tgicli generate --regex'
                set is_value yes
            case 'tgicli generate --gbnf'
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
            case 'tgicli generate --main-gpu'
                set is_value yes
            case 'tgicli generate --tensor-split'
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
            case 'tgicli chat --load'
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
            case 'tgicli chat --main-gpu'
                set is_value yes
            case 'tgicli chat --tensor-split'
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
            case 'tgicli serve --cache-ram'
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
            case 'tgicli serve --main-gpu'
                set is_value yes
            case 'tgicli serve --tensor-split'
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
            case 'tgicli bench run'
                set at 'tgicli bench run'
            case 'tgicli bench compare'
                set at 'tgicli bench compare'
            case 'tgicli bench report'
                set at 'tgicli bench report'
            case 'tgicli bench selftest'
                set at 'tgicli bench selftest'
            case 'tgicli bench -c' 'tgicli bench --concurrency'
                set is_value yes
            case 'tgicli bench --rate'
                set is_value yes
            case 'tgicli bench --arrival'
                set is_value yes
            case 'tgicli bench --burstiness'
                set is_value yes
            case 'tgicli bench --burst'
                set is_value yes
            case 'tgicli bench --ramp'
                set is_value yes
            case 'tgicli bench --trace'
                set is_value yes
            case 'tgicli bench --max-in-flight'
                set is_value yes
            case 'tgicli bench --prompt-tokens'
                set is_value yes
            case 'tgicli bench --output-tokens'
                set is_value yes
            case 'tgicli bench --shared-prefix'
                set is_value yes
            case 'tgicli bench --dataset'
                set is_value yes
            case 'tgicli bench --duration'
                set is_value yes
            case 'tgicli bench --requests'
                set is_value yes
            case 'tgicli bench --warmup'
                set is_value yes
            case 'tgicli bench --repeat'
                set is_value yes
            case 'tgicli bench --seed'
                set is_value yes
            case 'tgicli bench --slo'
                set is_value yes
            case 'tgicli bench --vs'
                set is_value yes
            case 'tgicli bench --vs-api-key-file'
                set is_value yes
            case 'tgicli bench -o' 'tgicli bench --out' 'tgicli bench --json'
                set is_value yes
            case 'tgicli bench --html'
                set is_value yes
            case 'tgicli bench --md'
                set is_value yes
            case 'tgicli bench --csv'
                set is_value yes
            case 'tgicli bench --records'
                set is_value yes
            case 'tgicli bench -e' 'tgicli bench --endpoint'
                set is_value yes
            case 'tgicli bench --api'
                set is_value yes
            case 'tgicli bench --api-key'
                set is_value yes
            case 'tgicli bench --api-key-file'
                set is_value yes
            case 'tgicli bench --api-key-command'
                set is_value yes
            case 'tgicli bench -H' 'tgicli bench --header'
                set is_value yes
            case 'tgicli bench --retries'
                set is_value yes
            case 'tgicli bench --timeout'
                set is_value yes
            case 'tgicli bench --connect-timeout'
                set is_value yes
            case 'tgicli bench --first-token-timeout'
                set is_value yes
            case 'tgicli bench --token-timeout'
                set is_value yes
            case 'tgicli bench -m' 'tgicli bench --model'
                set is_value yes
            case 'tgicli bench --ctx-size'
                set is_value yes
            case 'tgicli bench --threads'
                set is_value yes
            case 'tgicli bench --gpu-layers'
                set is_value yes
            case 'tgicli bench --main-gpu'
                set is_value yes
            case 'tgicli bench --tensor-split'
                set is_value yes
            case 'tgicli bench --flash-attn'
                set is_value yes
            case 'tgicli bench --kv-type'
                set is_value yes
            case 'tgicli bench --batch-size'
                set is_value yes
            case 'tgicli bench --lora'
                set is_value yes
            case 'tgicli bench --profile'
                set is_value yes
            case 'tgicli bench run -c' 'tgicli bench run --concurrency'
                set is_value yes
            case 'tgicli bench run --rate'
                set is_value yes
            case 'tgicli bench run --arrival'
                set is_value yes
            case 'tgicli bench run --burstiness'
                set is_value yes
            case 'tgicli bench run --burst'
                set is_value yes
            case 'tgicli bench run --ramp'
                set is_value yes
            case 'tgicli bench run --trace'
                set is_value yes
            case 'tgicli bench run --max-in-flight'
                set is_value yes
            case 'tgicli bench run --prompt-tokens'
                set is_value yes
            case 'tgicli bench run --output-tokens'
                set is_value yes
            case 'tgicli bench run --shared-prefix'
                set is_value yes
            case 'tgicli bench run --dataset'
                set is_value yes
            case 'tgicli bench run --duration'
                set is_value yes
            case 'tgicli bench run --requests'
                set is_value yes
            case 'tgicli bench run --warmup'
                set is_value yes
            case 'tgicli bench run --repeat'
                set is_value yes
            case 'tgicli bench run --seed'
                set is_value yes
            case 'tgicli bench run --slo'
                set is_value yes
            case 'tgicli bench run --vs'
                set is_value yes
            case 'tgicli bench run --vs-api-key-file'
                set is_value yes
            case 'tgicli bench run -o' 'tgicli bench run --out' 'tgicli bench run --json'
                set is_value yes
            case 'tgicli bench run --html'
                set is_value yes
            case 'tgicli bench run --md'
                set is_value yes
            case 'tgicli bench run --csv'
                set is_value yes
            case 'tgicli bench run --records'
                set is_value yes
            case 'tgicli bench run -e' 'tgicli bench run --endpoint'
                set is_value yes
            case 'tgicli bench run --api'
                set is_value yes
            case 'tgicli bench run --api-key'
                set is_value yes
            case 'tgicli bench run --api-key-file'
                set is_value yes
            case 'tgicli bench run --api-key-command'
                set is_value yes
            case 'tgicli bench run -H' 'tgicli bench run --header'
                set is_value yes
            case 'tgicli bench run --retries'
                set is_value yes
            case 'tgicli bench run --timeout'
                set is_value yes
            case 'tgicli bench run --connect-timeout'
                set is_value yes
            case 'tgicli bench run --first-token-timeout'
                set is_value yes
            case 'tgicli bench run --token-timeout'
                set is_value yes
            case 'tgicli bench run -m' 'tgicli bench run --model'
                set is_value yes
            case 'tgicli bench run --ctx-size'
                set is_value yes
            case 'tgicli bench run --threads'
                set is_value yes
            case 'tgicli bench run --gpu-layers'
                set is_value yes
            case 'tgicli bench run --main-gpu'
                set is_value yes
            case 'tgicli bench run --tensor-split'
                set is_value yes
            case 'tgicli bench run --flash-attn'
                set is_value yes
            case 'tgicli bench run --kv-type'
                set is_value yes
            case 'tgicli bench run --batch-size'
                set is_value yes
            case 'tgicli bench run --lora'
                set is_value yes
            case 'tgicli bench run --profile'
                set is_value yes
            case 'tgicli bench compare --fail-on'
                set is_value yes
            case 'tgicli bench compare --profile'
                set is_value yes
            case 'tgicli bench report --html'
                set is_value yes
            case 'tgicli bench report --md'
                set is_value yes
            case 'tgicli bench report --csv'
                set is_value yes
            case 'tgicli bench report -o' 'tgicli bench report --out' 'tgicli bench report --json'
                set is_value yes
            case 'tgicli bench report --profile'
                set is_value yes
            case 'tgicli bench selftest --profile'
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
            case 'tgicli doctor --max-batch-size'
                set is_value yes
            case 'tgicli doctor -m' 'tgicli doctor --model'
                set is_value yes
            case 'tgicli doctor --ctx-size'
                set is_value yes
            case 'tgicli doctor --threads'
                set is_value yes
            case 'tgicli doctor --gpu-layers'
                set is_value yes
            case 'tgicli doctor --main-gpu'
                set is_value yes
            case 'tgicli doctor --tensor-split'
                set is_value yes
            case 'tgicli doctor --flash-attn'
                set is_value yes
            case 'tgicli doctor --kv-type'
                set is_value yes
            case 'tgicli doctor --batch-size'
                set is_value yes
            case 'tgicli doctor --lora'
                set is_value yes
            case 'tgicli doctor --profile'
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
complete -c tgicli -n '__tgicli_at tgicli' -a bench -d 'Measure how fast a model or a server answers.'
complete -c tgicli -n '__tgicli_at tgicli' -a models -d 'Find and get models.'
complete -c tgicli -n '__tgicli_at tgicli' -a config -d 'Show what every option is set to, and where.'
complete -c tgicli -n '__tgicli_at tgicli' -a doctor -d 'Say what this machine can run, and whether MODEL fits.'
complete -c tgicli -n '__tgicli_at tgicli' -a completion -d 'Print a shell\'s completions.'
complete -c tgicli -n '__tgicli_at tgicli' -l version -d 'Show the versions of tgicli, Python and llama.cpp, and the devices; then exit.'
complete -c tgicli -n '__tgicli_at tgicli' -l traceback -d 'With an error, show where it was raised.'
complete -c tgicli -n '__tgicli_at tgicli' -l profile -r -f -a '(tgicli config profiles --names 2>/dev/null)' -d 'Let the configuration file\'s [profiles.NAME] win over the rest of it.'
complete -c tgicli -n '__tgicli_at tgicli' -s h -l help -d 'Show this page and exit.'
complete -c tgicli -n '__tgicli_at tgicli generate' -s f -l file -r -F -d 'Add what FILE holds. Repeatable; TGICLI_FILE holds one.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l stdin -l no-stdin -d 'Read stdin, whatever it is, or never. Otherwise a pipe or a file beside PROMPT is read to its end, a socket that stays silent for 5 s is left alone, and so is all beside FILE.'
complete -c tgicli -n '__tgicli_at tgicli generate' -s s -l system -r -f -d 'Tell the model how to behave.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l chat -l no-chat -d 'Put the prompt into the model\'s chat template, or go on from it as it is.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l truncate -r -f -d 'Keep the last N tokens of the prompt.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l max-new-tokens -r -f -d 'Generate at most N tokens.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l temperature -r -f -d 'Flatten (> 1) or sharpen (< 1) the odds; 0 always takes the likeliest token. Left out, a server\'s own holds.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l top-k -r -f -d 'Keep the K likeliest tokens; 0 keeps all.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l top-p -r -f -d 'Keep the likeliest tokens that make up P of the probability; 1 keeps all.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l typical-p -r -f -d 'Keep the locally typical tokens that make up P of the probability; 1 keeps all.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l min-p -r -f -d 'Drop tokens less likely than P times the likeliest; 0 keeps all.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l repetition-penalty -r -f -d 'Make tokens that occurred less likely, X > 1; 1 changes nothing.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l frequency-penalty -r -f -d 'Subtract X, in [-2, 2], from a token\'s logit for each time it occurred.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l presence-penalty -r -f -d 'Subtract X, in [-2, 2], from the logit of each token that occurred.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l stop -r -f -d 'End before this text, which is not shown. Repeatable; TGICLI_STOP holds one.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l seed -r -f -d 'Draw the same tokens again; --stats shows the seed.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l schema -r -F -d 'Answer in JSON that a JSON Schema allows: a file that holds it, or the schema.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l regex -r -f -d 'Answer what an expression matches as a whole.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l gbnf -r -F -d 'Answer what a grammar of llama.cpp\'s allows: a file that holds it, or the rules.'
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
complete -c tgicli -n '__tgicli_at tgicli generate' -l api-key -r -f -d 'The key; in TGICLI_API_KEY or the configuration file, for others see a command line.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l api-key-file -r -F -d 'Read the key from FILE.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l api-key-command -r -f -d 'Let a shell run COMMAND, which prints the key.'
complete -c tgicli -n '__tgicli_at tgicli generate' -s H -l header -r -f -d 'Send a header. Repeatable; TGICLI_HEADER holds one.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l retries -r -f -d 'Ask a server that is busy or not there up to N times again, before the first token.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l timeout -r -f -d 'Give up an answer after S seconds, a model\'s here, too; 0: never.'
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
complete -c tgicli -n '__tgicli_at tgicli generate' -s m -l model -r -F -a '(tgicli models list --names 2>/dev/null)' -d 'A GGUF file, or ORG/NAME[:QUANT|:FILE] from a hub, downloaded once.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l offline -d 'Use what is on disk; never ask a hub.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l ctx-size -r -f -d 'Tokens that prompt and answer may have together; 0: what the prompt needs (`serve`: 4096), within what the model was trained for.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l threads -r -f -d 'Compute with N threads.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l gpu-layers -r -f -a 'auto' -d 'Layers on the GPU; auto: all that fit, where there is one.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l main-gpu -r -f -d 'Use one GPU alone, the N-th; `tgicli doctor` counts them from 0.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l tensor-split -r -f -d 'Spread the layers over the GPUs in this proportion.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l flash-attn -r -f -a 'auto on off' -d 'Use flash attention.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l kv-type -r -f -a 'f32 f16 bf16 q8_0 q4_0' -d 'How the KV cache stores its values: f32, f16, bf16, q8_0 or q4_0.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l batch-size -r -f -d 'Tokens computed at once, at most.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l lora -r -F -d 'Apply an adapter. Repeatable; TGICLI_LORA holds one.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l mmap -l no-mmap -d 'Map the file into memory, or read it whole, into huge pages where there are some.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l mlock -d 'Keep the model in RAM, never swapped.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l prefix-reuse -l no-prefix-reuse -d 'Compute a beginning that prompts share only once.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l traceback -d 'With an error, show where it was raised.'
complete -c tgicli -n '__tgicli_at tgicli generate' -l profile -r -f -a '(tgicli config profiles --names 2>/dev/null)' -d 'Let the configuration file\'s [profiles.NAME] win over the rest of it.'
complete -c tgicli -n '__tgicli_at tgicli generate' -s h -l help -d 'Show this page and exit.'
complete -c tgicli -n '__tgicli_at tgicli generate' -f
complete -c tgicli -n '__tgicli_at tgicli chat' -s s -l system -r -f -d 'Tell the model how to behave.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l load -r -F -d 'Go on with the conversation that /save has written to FILE.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l history -l no-history -d 'Keep what is typed for the next sessions, or forget it.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l max-new-tokens -r -f -d 'Generate at most N tokens.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l temperature -r -f -d 'Flatten (> 1) or sharpen (< 1) the odds; 0 always takes the likeliest token. Left out, a server\'s own holds.'
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
complete -c tgicli -n '__tgicli_at tgicli chat' -l server -l no-server -d 'Without -m, let a `tgicli serve` of yours answer that has the model loaded.'
complete -c tgicli -n '__tgicli_at tgicli chat' -s e -l endpoint -r -f -d 'Ask a TGI or OpenAI server: http://HOST:PORT, the URL of one of its routes, or unix:/PATH. --model then names one of its models.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l api -r -f -a 'tgi openai-chat openai-completions' -d 'Speak tgi, openai-chat or openai-completions.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l api-key -r -f -d 'The key; in TGICLI_API_KEY or the configuration file, for others see a command line.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l api-key-file -r -F -d 'Read the key from FILE.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l api-key-command -r -f -d 'Let a shell run COMMAND, which prints the key.'
complete -c tgicli -n '__tgicli_at tgicli chat' -s H -l header -r -f -d 'Send a header. Repeatable; TGICLI_HEADER holds one.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l retries -r -f -d 'Ask a server that is busy or not there up to N times again, before the first token.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l timeout -r -f -d 'Give up an answer after S seconds, a model\'s here, too; 0: never.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l connect-timeout -r -f -d 'Seconds to wait for a connection; 0: any.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l first-token-timeout -r -f -d 'Seconds to the first token; 0: any.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l token-timeout -r -f -d 'Seconds between two tokens; 0: any.'
complete -c tgicli -n '__tgicli_at tgicli chat' -s m -l model -r -F -a '(tgicli models list --names 2>/dev/null)' -d 'A GGUF file, or ORG/NAME[:QUANT|:FILE] from a hub, downloaded once.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l offline -d 'Use what is on disk; never ask a hub.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l ctx-size -r -f -d 'Tokens that prompt and answer may have together; 0: what the prompt needs (`serve`: 4096), within what the model was trained for.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l threads -r -f -d 'Compute with N threads.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l gpu-layers -r -f -a 'auto' -d 'Layers on the GPU; auto: all that fit, where there is one.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l main-gpu -r -f -d 'Use one GPU alone, the N-th; `tgicli doctor` counts them from 0.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l tensor-split -r -f -d 'Spread the layers over the GPUs in this proportion.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l flash-attn -r -f -a 'auto on off' -d 'Use flash attention.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l kv-type -r -f -a 'f32 f16 bf16 q8_0 q4_0' -d 'How the KV cache stores its values: f32, f16, bf16, q8_0 or q4_0.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l batch-size -r -f -d 'Tokens computed at once, at most.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l lora -r -F -d 'Apply an adapter. Repeatable; TGICLI_LORA holds one.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l mmap -l no-mmap -d 'Map the file into memory, or read it whole, into huge pages where there are some.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l mlock -d 'Keep the model in RAM, never swapped.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l prefix-reuse -l no-prefix-reuse -d 'Compute a beginning that prompts share only once.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l traceback -d 'With an error, show where it was raised.'
complete -c tgicli -n '__tgicli_at tgicli chat' -l profile -r -f -a '(tgicli config profiles --names 2>/dev/null)' -d 'Let the configuration file\'s [profiles.NAME] win over the rest of it.'
complete -c tgicli -n '__tgicli_at tgicli chat' -s h -l help -d 'Show this page and exit.'
complete -c tgicli -n '__tgicli_at tgicli chat' -f
complete -c tgicli -n '__tgicli_at tgicli serve' -l hostname -r -f -d 'Listen on this address; 0.0.0.0: on all.'
complete -c tgicli -n '__tgicli_at tgicli serve' -s p -l port -r -f -d 'Listen on this port; 0: on any free one, which is printed.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l uds -r -F -d 'Listen on a Unix socket instead.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l ssl-certfile -r -F -d 'Speak TLS with this certificate (PEM).'
complete -c tgicli -n '__tgicli_at tgicli serve' -l ssl-keyfile -r -F -d 'The certificate\'s private key (PEM).'
complete -c tgicli -n '__tgicli_at tgicli serve' -l max-concurrent-requests -r -f -d 'Requests that may run and wait; one more is refused with status 429.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l max-batch-size -r -f -d 'Requests computed at once; others wait.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l cache-ram -r -f -d 'RAM for conversations that made room for others; 0: none.'
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
complete -c tgicli -n '__tgicli_at tgicli serve' -l connect-key -r -f -d 'Its key, in TGICLI_CONNECT_KEY or the configuration file: others see a command line.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l connect-key-file -r -F -d 'Read its key from FILE.'
complete -c tgicli -n '__tgicli_at tgicli serve' -s m -l model -r -F -a '(tgicli models list --names 2>/dev/null)' -d 'A GGUF file, or ORG/NAME[:QUANT|:FILE] from a hub, downloaded once.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l offline -d 'Use what is on disk; never ask a hub.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l ctx-size -r -f -d 'Tokens that prompt and answer may have together; 0: what the prompt needs (`serve`: 4096), within what the model was trained for.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l threads -r -f -d 'Compute with N threads.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l gpu-layers -r -f -a 'auto' -d 'Layers on the GPU; auto: all that fit, where there is one.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l main-gpu -r -f -d 'Use one GPU alone, the N-th; `tgicli doctor` counts them from 0.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l tensor-split -r -f -d 'Spread the layers over the GPUs in this proportion.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l flash-attn -r -f -a 'auto on off' -d 'Use flash attention.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l kv-type -r -f -a 'f32 f16 bf16 q8_0 q4_0' -d 'How the KV cache stores its values: f32, f16, bf16, q8_0 or q4_0.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l batch-size -r -f -d 'Tokens computed at once, at most.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l lora -r -F -d 'Apply an adapter. Repeatable; TGICLI_LORA holds one.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l mmap -l no-mmap -d 'Map the file into memory, or read it whole, into huge pages where there are some.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l mlock -d 'Keep the model in RAM, never swapped.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l prefix-reuse -l no-prefix-reuse -d 'Compute a beginning that prompts share only once.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l lora-adapters -r -f -d 'Load adapters that requests choose by name (adapter_id, or OpenAI\'s model). Repeatable.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l traceback -d 'With an error, show where it was raised.'
complete -c tgicli -n '__tgicli_at tgicli serve' -l profile -r -f -a '(tgicli config profiles --names 2>/dev/null)' -d 'Let the configuration file\'s [profiles.NAME] win over the rest of it.'
complete -c tgicli -n '__tgicli_at tgicli serve' -s h -l help -d 'Show this page and exit.'
complete -c tgicli -n '__tgicli_at tgicli bench' -a run -d 'Measure how fast a model or a server answers.'
complete -c tgicli -n '__tgicli_at tgicli bench' -a compare -d 'Compare two results, and say whether the second one is worse.'
complete -c tgicli -n '__tgicli_at tgicli bench' -a report -d 'Show a result again; from records, all figures are computed anew.'
complete -c tgicli -n '__tgicli_at tgicli bench' -a selftest -d 'Measure what this client adds by itself, on this machine.'
complete -c tgicli -n '__tgicli_at tgicli bench' -s c -l concurrency -r -f -d 'So many users, each of whom asks again once answered; a load point for each N.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l rate -r -f -d 'Send R requests a second, whatever becomes of those before; a load point for each. A model in this process computes 8 at once; the others wait.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l arrival -r -f -d 'When --rate sends: constant, poisson, gamma:K (a smaller K: burstier) or burst:N.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l burstiness -r -f -d 'The same as --arrival gamma:K; 1 is poisson.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l burst -r -f -d 'The same as --arrival burst:N: N at once, then none until --rate allows the next N.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l ramp -r -f -d 'Let the rate go from A to B requests a second within S seconds.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l trace -r -F -d 'Send what FILE says when it says it: JSON lines with `timestamp` and a prompt, or its length and its answer\'s.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l sweep -d 'Raise the concurrency until it brings no more.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l max-in-flight -r -f -d 'With --rate: a request that would be one more is dropped, and counted. With --sweep or --find-max: the most users. Without: --concurrency N.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l prompt-tokens -r -f -d 'Tokens of a prompt: 256, 256+-64 (mean and deviation) or 128..512. Each begins anew, so that no prefix cache is measured.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l output-tokens -r -f -d 'Tokens to ask for, in the same words.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l shared-prefix -r -f -d 'Let all prompts begin with the same N tokens more, to measure a prefix cache.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l dataset -r -F -d 'Ask FILE\'s prompts: JSON lines with `prompt` or `messages`, or ShareGPT\'s JSON.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l chat -l no-chat -d 'Ask as a conversation, or send the prompt as it is.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l ignore-eos -l no-ignore-eos -d 'Ask for all tokens, where the server allows it, or let the model end.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l duration -r -f -d 'Measure each load point for so long, after its warm-up.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l requests -r -f -d 'Or until N requests were measured.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l warmup -r -f -a 'auto' -d 'Warm up at the load itself, and go on into measuring; auto: until it is steady, at a rate for a quarter of the duration, 10 s at most.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l repeat -r -f -d 'Measure all load points N times over; from 3 on the intervals are those of repeats.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l seed -r -f -d 'Ask the same prompts at the same times again.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l floor -l no-floor -d 'Before each load point, measure for 2 s what this client adds by itself.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l llama-bench-rows -d 'With a model in this process: measure pp512 and tg128 first, five times each, as llama-bench does; but sampling, detokenising and Python are included.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l slo -r -f -d 'Count the requests that meet an objective: ttft:200,tpot:50; also e2el, icl, stall and ttft_sched.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l find-max -d 'Find the largest concurrency that meets --slo.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l strict -d 'Return 3 when a load point misses --slo, or a search finds none that meets it, and 5 when a comparison is undecided, or time was up before all was measured.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l check -d 'Look at the text, too: the same under load as alone, and no other request\'s.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l vs -r -f -d 'Measure TARGET beside it, in turns (A B B A), and say which is faster.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l vs-api-key-file -r -F -d 'Its key; ours and our headers go to the same host only.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l noise -d 'Compare it with itself: how large a difference is that is none.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l stream-vs-full -d 'Ask everything twice, streamed and whole: what streaming gains, and costs.'
complete -c tgicli -n '__tgicli_at tgicli bench' -s o -l out -l json -r -F -d 'Write the result to FILE as JSON; `-`: to stdout, instead of the table.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l html -r -F -d 'Write a report with charts, one file in all.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l md -r -F -d 'Write a Markdown table.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l csv -r -F -d 'Write a table of all figures.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l records -r -F -d 'Write each request\'s stamps as JSON lines: `tgicli bench report FILE` computes all figures from them again.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l live -l no-live -d 'Draw a panel on a terminal, or say a line.'
complete -c tgicli -n '__tgicli_at tgicli bench' -s q -l quiet -d 'No progress and no notes on stderr.'
complete -c tgicli -n '__tgicli_at tgicli bench' -s e -l endpoint -r -f -d 'Ask a TGI or OpenAI server: http://HOST:PORT, the URL of one of its routes, or unix:/PATH. --model then names one of its models.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l api -r -f -a 'tgi openai-chat openai-completions' -d 'Speak tgi, openai-chat or openai-completions.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l api-key -r -f -d 'The key; in TGICLI_API_KEY or the configuration file, for others see a command line.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l api-key-file -r -F -d 'Read the key from FILE.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l api-key-command -r -f -d 'Let a shell run COMMAND, which prints the key.'
complete -c tgicli -n '__tgicli_at tgicli bench' -s H -l header -r -f -d 'Send a header. Repeatable; TGICLI_HEADER holds one.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l retries -r -f -d 'A bench asks once: what a busy server refuses is counted as refused.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l timeout -r -f -d 'Give up an answer after S seconds, a model\'s here, too; 0: never.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l connect-timeout -r -f -d 'Seconds to wait for a connection; 0: any.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l first-token-timeout -r -f -d 'Seconds to the first token; 0: any.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l token-timeout -r -f -d 'Seconds between two tokens; 0: any.'
complete -c tgicli -n '__tgicli_at tgicli bench' -s m -l model -r -F -a '(tgicli models list --names 2>/dev/null)' -d 'A GGUF file, or ORG/NAME[:QUANT|:FILE] from a hub, downloaded once.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l offline -d 'Use what is on disk; never ask a hub.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l ctx-size -r -f -d 'Tokens that prompt and answer may have together; 0: what the prompt needs (`serve`: 4096), within what the model was trained for.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l threads -r -f -d 'Compute with N threads.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l gpu-layers -r -f -a 'auto' -d 'Layers on the GPU; auto: all that fit, where there is one.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l main-gpu -r -f -d 'Use one GPU alone, the N-th; `tgicli doctor` counts them from 0.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l tensor-split -r -f -d 'Spread the layers over the GPUs in this proportion.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l flash-attn -r -f -a 'auto on off' -d 'Use flash attention.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l kv-type -r -f -a 'f32 f16 bf16 q8_0 q4_0' -d 'How the KV cache stores its values: f32, f16, bf16, q8_0 or q4_0.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l batch-size -r -f -d 'Tokens computed at once, at most.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l lora -r -F -d 'Apply an adapter. Repeatable; TGICLI_LORA holds one.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l mmap -l no-mmap -d 'Map the file into memory, or read it whole, into huge pages where there are some.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l mlock -d 'Keep the model in RAM, never swapped.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l prefix-reuse -l no-prefix-reuse -d 'Compute a beginning that prompts share only once.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l traceback -d 'With an error, show where it was raised.'
complete -c tgicli -n '__tgicli_at tgicli bench' -l profile -r -f -a '(tgicli config profiles --names 2>/dev/null)' -d 'Let the configuration file\'s [profiles.NAME] win over the rest of it.'
complete -c tgicli -n '__tgicli_at tgicli bench' -s h -l help -d 'Show this page and exit.'
complete -c tgicli -n '__tgicli_at tgicli bench' -f
complete -c tgicli -n '__tgicli_at tgicli bench run' -s c -l concurrency -r -f -d 'So many users, each of whom asks again once answered; a load point for each N.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l rate -r -f -d 'Send R requests a second, whatever becomes of those before; a load point for each. A model in this process computes 8 at once; the others wait.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l arrival -r -f -d 'When --rate sends: constant, poisson, gamma:K (a smaller K: burstier) or burst:N.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l burstiness -r -f -d 'The same as --arrival gamma:K; 1 is poisson.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l burst -r -f -d 'The same as --arrival burst:N: N at once, then none until --rate allows the next N.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l ramp -r -f -d 'Let the rate go from A to B requests a second within S seconds.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l trace -r -F -d 'Send what FILE says when it says it: JSON lines with `timestamp` and a prompt, or its length and its answer\'s.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l sweep -d 'Raise the concurrency until it brings no more.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l max-in-flight -r -f -d 'With --rate: a request that would be one more is dropped, and counted. With --sweep or --find-max: the most users. Without: --concurrency N.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l prompt-tokens -r -f -d 'Tokens of a prompt: 256, 256+-64 (mean and deviation) or 128..512. Each begins anew, so that no prefix cache is measured.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l output-tokens -r -f -d 'Tokens to ask for, in the same words.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l shared-prefix -r -f -d 'Let all prompts begin with the same N tokens more, to measure a prefix cache.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l dataset -r -F -d 'Ask FILE\'s prompts: JSON lines with `prompt` or `messages`, or ShareGPT\'s JSON.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l chat -l no-chat -d 'Ask as a conversation, or send the prompt as it is.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l ignore-eos -l no-ignore-eos -d 'Ask for all tokens, where the server allows it, or let the model end.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l duration -r -f -d 'Measure each load point for so long, after its warm-up.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l requests -r -f -d 'Or until N requests were measured.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l warmup -r -f -a 'auto' -d 'Warm up at the load itself, and go on into measuring; auto: until it is steady, at a rate for a quarter of the duration, 10 s at most.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l repeat -r -f -d 'Measure all load points N times over; from 3 on the intervals are those of repeats.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l seed -r -f -d 'Ask the same prompts at the same times again.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l floor -l no-floor -d 'Before each load point, measure for 2 s what this client adds by itself.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l llama-bench-rows -d 'With a model in this process: measure pp512 and tg128 first, five times each, as llama-bench does; but sampling, detokenising and Python are included.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l slo -r -f -d 'Count the requests that meet an objective: ttft:200,tpot:50; also e2el, icl, stall and ttft_sched.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l find-max -d 'Find the largest concurrency that meets --slo.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l strict -d 'Return 3 when a load point misses --slo, or a search finds none that meets it, and 5 when a comparison is undecided, or time was up before all was measured.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l check -d 'Look at the text, too: the same under load as alone, and no other request\'s.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l vs -r -f -d 'Measure TARGET beside it, in turns (A B B A), and say which is faster.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l vs-api-key-file -r -F -d 'Its key; ours and our headers go to the same host only.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l noise -d 'Compare it with itself: how large a difference is that is none.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l stream-vs-full -d 'Ask everything twice, streamed and whole: what streaming gains, and costs.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -s o -l out -l json -r -F -d 'Write the result to FILE as JSON; `-`: to stdout, instead of the table.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l html -r -F -d 'Write a report with charts, one file in all.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l md -r -F -d 'Write a Markdown table.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l csv -r -F -d 'Write a table of all figures.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l records -r -F -d 'Write each request\'s stamps as JSON lines: `tgicli bench report FILE` computes all figures from them again.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l live -l no-live -d 'Draw a panel on a terminal, or say a line.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -s q -l quiet -d 'No progress and no notes on stderr.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -s e -l endpoint -r -f -d 'Ask a TGI or OpenAI server: http://HOST:PORT, the URL of one of its routes, or unix:/PATH. --model then names one of its models.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l api -r -f -a 'tgi openai-chat openai-completions' -d 'Speak tgi, openai-chat or openai-completions.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l api-key -r -f -d 'The key; in TGICLI_API_KEY or the configuration file, for others see a command line.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l api-key-file -r -F -d 'Read the key from FILE.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l api-key-command -r -f -d 'Let a shell run COMMAND, which prints the key.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -s H -l header -r -f -d 'Send a header. Repeatable; TGICLI_HEADER holds one.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l retries -r -f -d 'A bench asks once: what a busy server refuses is counted as refused.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l timeout -r -f -d 'Give up an answer after S seconds, a model\'s here, too; 0: never.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l connect-timeout -r -f -d 'Seconds to wait for a connection; 0: any.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l first-token-timeout -r -f -d 'Seconds to the first token; 0: any.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l token-timeout -r -f -d 'Seconds between two tokens; 0: any.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -s m -l model -r -F -a '(tgicli models list --names 2>/dev/null)' -d 'A GGUF file, or ORG/NAME[:QUANT|:FILE] from a hub, downloaded once.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l offline -d 'Use what is on disk; never ask a hub.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l ctx-size -r -f -d 'Tokens that prompt and answer may have together; 0: what the prompt needs (`serve`: 4096), within what the model was trained for.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l threads -r -f -d 'Compute with N threads.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l gpu-layers -r -f -a 'auto' -d 'Layers on the GPU; auto: all that fit, where there is one.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l main-gpu -r -f -d 'Use one GPU alone, the N-th; `tgicli doctor` counts them from 0.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l tensor-split -r -f -d 'Spread the layers over the GPUs in this proportion.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l flash-attn -r -f -a 'auto on off' -d 'Use flash attention.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l kv-type -r -f -a 'f32 f16 bf16 q8_0 q4_0' -d 'How the KV cache stores its values: f32, f16, bf16, q8_0 or q4_0.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l batch-size -r -f -d 'Tokens computed at once, at most.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l lora -r -F -d 'Apply an adapter. Repeatable; TGICLI_LORA holds one.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l mmap -l no-mmap -d 'Map the file into memory, or read it whole, into huge pages where there are some.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l mlock -d 'Keep the model in RAM, never swapped.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l prefix-reuse -l no-prefix-reuse -d 'Compute a beginning that prompts share only once.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l traceback -d 'With an error, show where it was raised.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -l profile -r -f -a '(tgicli config profiles --names 2>/dev/null)' -d 'Let the configuration file\'s [profiles.NAME] win over the rest of it.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -s h -l help -d 'Show this page and exit.'
complete -c tgicli -n '__tgicli_at tgicli bench run' -f
complete -c tgicli -n '__tgicli_at tgicli bench compare' -l fail-on -r -f -d 'Return 3 when one holds beyond doubt: tpot>5%,output_tps<-5%.'
complete -c tgicli -n '__tgicli_at tgicli bench compare' -l strict -d 'Return 5 when a condition can\'t be decided.'
complete -c tgicli -n '__tgicli_at tgicli bench compare' -l allow-differences -d 'Compare different work, too, such as two models; the differences are told.'
complete -c tgicli -n '__tgicli_at tgicli bench compare' -l traceback -d 'With an error, show where it was raised.'
complete -c tgicli -n '__tgicli_at tgicli bench compare' -l profile -r -f -a '(tgicli config profiles --names 2>/dev/null)' -d 'Let the configuration file\'s [profiles.NAME] win over the rest of it.'
complete -c tgicli -n '__tgicli_at tgicli bench compare' -s h -l help -d 'Show this page and exit.'
complete -c tgicli -n '__tgicli_at tgicli bench compare' -F
complete -c tgicli -n '__tgicli_at tgicli bench compare' -F
complete -c tgicli -n '__tgicli_at tgicli bench report' -l html -r -F -d 'Write a report with charts.'
complete -c tgicli -n '__tgicli_at tgicli bench report' -l md -r -F -d 'Write a Markdown table.'
complete -c tgicli -n '__tgicli_at tgicli bench report' -l csv -r -F -d 'Write a table of all figures.'
complete -c tgicli -n '__tgicli_at tgicli bench report' -s o -l out -l json -r -F -d 'Write it as JSON; `-`: stdout.'
complete -c tgicli -n '__tgicli_at tgicli bench report' -l traceback -d 'With an error, show where it was raised.'
complete -c tgicli -n '__tgicli_at tgicli bench report' -l profile -r -f -a '(tgicli config profiles --names 2>/dev/null)' -d 'Let the configuration file\'s [profiles.NAME] win over the rest of it.'
complete -c tgicli -n '__tgicli_at tgicli bench report' -s h -l help -d 'Show this page and exit.'
complete -c tgicli -n '__tgicli_at tgicli bench report' -F
complete -c tgicli -n '__tgicli_at tgicli bench selftest' -l traceback -d 'With an error, show where it was raised.'
complete -c tgicli -n '__tgicli_at tgicli bench selftest' -l profile -r -f -a '(tgicli config profiles --names 2>/dev/null)' -d 'Let the configuration file\'s [profiles.NAME] win over the rest of it.'
complete -c tgicli -n '__tgicli_at tgicli bench selftest' -s h -l help -d 'Show this page and exit.'
complete -c tgicli -n '__tgicli_at tgicli models' -a list -d 'List the models on disk: the demo, and what was downloaded from a hub, by any program.'
complete -c tgicli -n '__tgicli_at tgicli models' -a pull -d 'Download a model from a hub, or update it, and print its path.'
complete -c tgicli -n '__tgicli_at tgicli models' -a info -d 'Show what is known of a model on disk.'
complete -c tgicli -n '__tgicli_at tgicli models' -l traceback -d 'With an error, show where it was raised.'
complete -c tgicli -n '__tgicli_at tgicli models' -l profile -r -f -a '(tgicli config profiles --names 2>/dev/null)' -d 'Let the configuration file\'s [profiles.NAME] win over the rest of it.'
complete -c tgicli -n '__tgicli_at tgicli models' -s h -l help -d 'Show this page and exit.'
complete -c tgicli -n '__tgicli_at tgicli models list' -l json -d 'As JSON.'
complete -c tgicli -n '__tgicli_at tgicli models list' -l names -d 'The names alone.'
complete -c tgicli -n '__tgicli_at tgicli models list' -l traceback -d 'With an error, show where it was raised.'
complete -c tgicli -n '__tgicli_at tgicli models list' -l profile -r -f -a '(tgicli config profiles --names 2>/dev/null)' -d 'Let the configuration file\'s [profiles.NAME] win over the rest of it.'
complete -c tgicli -n '__tgicli_at tgicli models list' -s h -l help -d 'Show this page and exit.'
complete -c tgicli -n '__tgicli_at tgicli models pull' -l traceback -d 'With an error, show where it was raised.'
complete -c tgicli -n '__tgicli_at tgicli models pull' -l profile -r -f -a '(tgicli config profiles --names 2>/dev/null)' -d 'Let the configuration file\'s [profiles.NAME] win over the rest of it.'
complete -c tgicli -n '__tgicli_at tgicli models pull' -s h -l help -d 'Show this page and exit.'
complete -c tgicli -n '__tgicli_at tgicli models pull' -f -a '(tgicli models list --names 2>/dev/null)'
complete -c tgicli -n '__tgicli_at tgicli models info' -l json -d 'As JSON.'
complete -c tgicli -n '__tgicli_at tgicli models info' -l template -d 'Print the chat template and nothing else.'
complete -c tgicli -n '__tgicli_at tgicli models info' -l traceback -d 'With an error, show where it was raised.'
complete -c tgicli -n '__tgicli_at tgicli models info' -l profile -r -f -a '(tgicli config profiles --names 2>/dev/null)' -d 'Let the configuration file\'s [profiles.NAME] win over the rest of it.'
complete -c tgicli -n '__tgicli_at tgicli models info' -s h -l help -d 'Show this page and exit.'
complete -c tgicli -n '__tgicli_at tgicli models info' -f -a '(tgicli models list --names 2>/dev/null)'
complete -c tgicli -n '__tgicli_at tgicli config' -a path -d 'Print the configuration file\'s path, whether there is one or not.'
complete -c tgicli -n '__tgicli_at tgicli config' -a profiles -d 'Show the profiles, and what each one sets.'
complete -c tgicli -n '__tgicli_at tgicli config' -l json -d 'As one JSON object.'
complete -c tgicli -n '__tgicli_at tgicli config' -l traceback -d 'With an error, show where it was raised.'
complete -c tgicli -n '__tgicli_at tgicli config' -l profile -r -f -a '(tgicli config profiles --names 2>/dev/null)' -d 'Let the configuration file\'s [profiles.NAME] win over the rest of it.'
complete -c tgicli -n '__tgicli_at tgicli config' -s h -l help -d 'Show this page and exit.'
complete -c tgicli -n '__tgicli_at tgicli config path' -l traceback -d 'With an error, show where it was raised.'
complete -c tgicli -n '__tgicli_at tgicli config path' -l profile -r -f -a '(tgicli config profiles --names 2>/dev/null)' -d 'Let the configuration file\'s [profiles.NAME] win over the rest of it.'
complete -c tgicli -n '__tgicli_at tgicli config path' -s h -l help -d 'Show this page and exit.'
complete -c tgicli -n '__tgicli_at tgicli config profiles' -l json -d 'As one JSON object.'
complete -c tgicli -n '__tgicli_at tgicli config profiles' -l names -d 'The names alone, one a line.'
complete -c tgicli -n '__tgicli_at tgicli config profiles' -l traceback -d 'With an error, show where it was raised.'
complete -c tgicli -n '__tgicli_at tgicli config profiles' -l profile -r -f -a '(tgicli config profiles --names 2>/dev/null)' -d 'Let the configuration file\'s [profiles.NAME] win over the rest of it.'
complete -c tgicli -n '__tgicli_at tgicli config profiles' -s h -l help -d 'Show this page and exit.'
complete -c tgicli -n '__tgicli_at tgicli doctor' -l json -d 'As one JSON object.'
complete -c tgicli -n '__tgicli_at tgicli doctor' -l max-batch-size -r -f -d 'Requests computed at once, as in `serve`.'
complete -c tgicli -n '__tgicli_at tgicli doctor' -s m -l model -r -F -a '(tgicli models list --names 2>/dev/null)' -d 'A GGUF file, or ORG/NAME[:QUANT|:FILE] from a hub, downloaded once.'
complete -c tgicli -n '__tgicli_at tgicli doctor' -l offline -d 'Use what is on disk; never ask a hub.'
complete -c tgicli -n '__tgicli_at tgicli doctor' -l ctx-size -r -f -d 'Tokens that prompt and answer may have together; 0: what the prompt needs (`serve`: 4096), within what the model was trained for.'
complete -c tgicli -n '__tgicli_at tgicli doctor' -l threads -r -f -d 'Compute with N threads.'
complete -c tgicli -n '__tgicli_at tgicli doctor' -l gpu-layers -r -f -a 'auto' -d 'Layers on the GPU; auto: all that fit, where there is one.'
complete -c tgicli -n '__tgicli_at tgicli doctor' -l main-gpu -r -f -d 'Use one GPU alone, the N-th; `tgicli doctor` counts them from 0.'
complete -c tgicli -n '__tgicli_at tgicli doctor' -l tensor-split -r -f -d 'Spread the layers over the GPUs in this proportion.'
complete -c tgicli -n '__tgicli_at tgicli doctor' -l flash-attn -r -f -a 'auto on off' -d 'Use flash attention.'
complete -c tgicli -n '__tgicli_at tgicli doctor' -l kv-type -r -f -a 'f32 f16 bf16 q8_0 q4_0' -d 'How the KV cache stores its values: f32, f16, bf16, q8_0 or q4_0.'
complete -c tgicli -n '__tgicli_at tgicli doctor' -l batch-size -r -f -d 'Tokens computed at once, at most.'
complete -c tgicli -n '__tgicli_at tgicli doctor' -l lora -r -F -d 'Apply an adapter. Repeatable; TGICLI_LORA holds one.'
complete -c tgicli -n '__tgicli_at tgicli doctor' -l mmap -l no-mmap -d 'Map the file into memory, or read it whole, into huge pages where there are some.'
complete -c tgicli -n '__tgicli_at tgicli doctor' -l mlock -d 'Keep the model in RAM, never swapped.'
complete -c tgicli -n '__tgicli_at tgicli doctor' -l prefix-reuse -l no-prefix-reuse -d 'Compute a beginning that prompts share only once.'
complete -c tgicli -n '__tgicli_at tgicli doctor' -l traceback -d 'With an error, show where it was raised.'
complete -c tgicli -n '__tgicli_at tgicli doctor' -l profile -r -f -a '(tgicli config profiles --names 2>/dev/null)' -d 'Let the configuration file\'s [profiles.NAME] win over the rest of it.'
complete -c tgicli -n '__tgicli_at tgicli doctor' -s h -l help -d 'Show this page and exit.'
complete -c tgicli -n '__tgicli_at tgicli doctor' -F -a '(tgicli models list --names 2>/dev/null)'
complete -c tgicli -n '__tgicli_at tgicli completion' -l traceback -d 'With an error, show where it was raised.'
complete -c tgicli -n '__tgicli_at tgicli completion' -l profile -r -f -a '(tgicli config profiles --names 2>/dev/null)' -d 'Let the configuration file\'s [profiles.NAME] win over the rest of it.'
complete -c tgicli -n '__tgicli_at tgicli completion' -s h -l help -d 'Show this page and exit.'
complete -c tgicli -n '__tgicli_at tgicli completion' -f -a 'bash zsh fish'
