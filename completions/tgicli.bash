# This is what `tgicli completion bash` prints; a change here would not last.
_tgicli() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev before=$((COMP_CWORD - 1))
    local at=tgicli words='' files='' names='' head='' is_value='' word i
    # Bash makes three words of model:quant, and of --flag=value.
    if [[ $cur == : ]]; then
        head=${COMP_WORDS[before]}: cur=''
        ((before -= 1))
    elif [[ ${COMP_WORDS[before]} == : ]]; then
        head=${COMP_WORDS[before - 1]}:
        ((before -= 2))
    fi
    prev=${COMP_WORDS[before]}
    if [[ $cur == = ]]; then
        cur=''
    elif [[ $prev == = ]]; then
        prev=${COMP_WORDS[before - 1]}
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $word == = ]]; then
            is_value=yes
            continue
        elif [[ $is_value ]]; then
            is_value=''
            continue
        fi
        case "$at $word" in
        'tgicli generate') at='tgicli generate' ;;
        'tgicli chat') at='tgicli chat' ;;
        'tgicli serve') at='tgicli serve' ;;
        'tgicli bench') at='tgicli bench' ;;
        'tgicli models') at='tgicli models' ;;
        'tgicli config') at='tgicli config' ;;
        'tgicli doctor') at='tgicli doctor' ;;
        'tgicli completion') at='tgicli completion' ;;
        'tgicli --profile') is_value=yes ;;
        'tgicli generate -f' | \
            'tgicli generate --file' | \
            'tgicli generate --schema' | \
            'tgicli generate --gbnf' | \
            'tgicli generate --api-key-file' | \
            'tgicli generate --input' | \
            'tgicli generate -o' | \
            'tgicli generate --output' | \
            'tgicli generate --lora') is_value=yes ;;
        'tgicli generate -s' | \
            'tgicli generate --system' | \
            'tgicli generate --truncate' | \
            'tgicli generate --max-new-tokens' | \
            'tgicli generate --temperature' | \
            'tgicli generate --top-k' | \
            'tgicli generate --top-p' | \
            'tgicli generate --typical-p' | \
            'tgicli generate --min-p' | \
            'tgicli generate --repetition-penalty' | \
            'tgicli generate --frequency-penalty' | \
            'tgicli generate --presence-penalty' | \
            'tgicli generate --stop' | \
            'tgicli generate --seed' | \
            'tgicli generate --regex' | \
            'tgicli generate --best-of' | \
            'tgicli generate --top-n-tokens' | \
            'tgicli generate -e' | \
            'tgicli generate --endpoint' | \
            'tgicli generate --api-key' | \
            'tgicli generate --api-key-command' | \
            'tgicli generate -H' | \
            'tgicli generate --header' | \
            'tgicli generate --retries' | \
            'tgicli generate --timeout' | \
            'tgicli generate --connect-timeout' | \
            'tgicli generate --first-token-timeout' | \
            'tgicli generate --token-timeout' | \
            'tgicli generate --concurrency' | \
            'tgicli generate --give-up-after' | \
            'tgicli generate --ctx-size' | \
            'tgicli generate --threads' | \
            'tgicli generate --main-gpu' | \
            'tgicli generate --tensor-split' | \
            'tgicli generate --batch-size') is_value=yes ;;
        'tgicli generate --reasoning') is_value=yes ;;
        'tgicli generate --api') is_value=yes ;;
        'tgicli generate --input-format') is_value=yes ;;
        'tgicli generate -m' | \
            'tgicli generate --model') is_value=yes ;;
        'tgicli generate --gpu-layers') is_value=yes ;;
        'tgicli generate --flash-attn') is_value=yes ;;
        'tgicli generate --kv-type') is_value=yes ;;
        'tgicli generate --profile') is_value=yes ;;
        'tgicli chat -s' | \
            'tgicli chat --system' | \
            'tgicli chat --max-new-tokens' | \
            'tgicli chat --temperature' | \
            'tgicli chat --top-k' | \
            'tgicli chat --top-p' | \
            'tgicli chat --typical-p' | \
            'tgicli chat --min-p' | \
            'tgicli chat --repetition-penalty' | \
            'tgicli chat --frequency-penalty' | \
            'tgicli chat --presence-penalty' | \
            'tgicli chat --stop' | \
            'tgicli chat --seed' | \
            'tgicli chat -e' | \
            'tgicli chat --endpoint' | \
            'tgicli chat --api-key' | \
            'tgicli chat --api-key-command' | \
            'tgicli chat -H' | \
            'tgicli chat --header' | \
            'tgicli chat --retries' | \
            'tgicli chat --timeout' | \
            'tgicli chat --connect-timeout' | \
            'tgicli chat --first-token-timeout' | \
            'tgicli chat --token-timeout' | \
            'tgicli chat --ctx-size' | \
            'tgicli chat --threads' | \
            'tgicli chat --main-gpu' | \
            'tgicli chat --tensor-split' | \
            'tgicli chat --batch-size') is_value=yes ;;
        'tgicli chat --load' | \
            'tgicli chat --api-key-file' | \
            'tgicli chat --lora') is_value=yes ;;
        'tgicli chat --reasoning') is_value=yes ;;
        'tgicli chat --api') is_value=yes ;;
        'tgicli chat -m' | \
            'tgicli chat --model') is_value=yes ;;
        'tgicli chat --gpu-layers') is_value=yes ;;
        'tgicli chat --flash-attn') is_value=yes ;;
        'tgicli chat --kv-type') is_value=yes ;;
        'tgicli chat --profile') is_value=yes ;;
        'tgicli serve --hostname' | \
            'tgicli serve -p' | \
            'tgicli serve --port' | \
            'tgicli serve --max-concurrent-requests' | \
            'tgicli serve --max-batch-size' | \
            'tgicli serve --cache-ram' | \
            'tgicli serve --max-total-tokens' | \
            'tgicli serve --max-input-tokens' | \
            'tgicli serve --max-batch-prefill-tokens' | \
            'tgicli serve --max-queue-wait' | \
            'tgicli serve --payload-limit' | \
            'tgicli serve --max-best-of' | \
            'tgicli serve --max-stop-sequences' | \
            'tgicli serve --max-top-n-tokens' | \
            'tgicli serve --max-client-batch-size' | \
            'tgicli serve --shutdown-timeout' | \
            'tgicli serve --stall-timeout' | \
            'tgicli serve --api-key' | \
            'tgicli serve --cors-allow-origin' | \
            'tgicli serve --connect' | \
            'tgicli serve --connect-model' | \
            'tgicli serve --connect-key' | \
            'tgicli serve --ctx-size' | \
            'tgicli serve --threads' | \
            'tgicli serve --main-gpu' | \
            'tgicli serve --tensor-split' | \
            'tgicli serve --batch-size' | \
            'tgicli serve --lora-adapters') is_value=yes ;;
        'tgicli serve --uds' | \
            'tgicli serve --ssl-certfile' | \
            'tgicli serve --ssl-keyfile' | \
            'tgicli serve --api-key-file' | \
            'tgicli serve --connect-key-file' | \
            'tgicli serve --lora') is_value=yes ;;
        'tgicli serve --connect-api') is_value=yes ;;
        'tgicli serve -m' | \
            'tgicli serve --model') is_value=yes ;;
        'tgicli serve --gpu-layers') is_value=yes ;;
        'tgicli serve --flash-attn') is_value=yes ;;
        'tgicli serve --kv-type') is_value=yes ;;
        'tgicli serve --profile') is_value=yes ;;
        'tgicli bench run') at='tgicli bench run' ;;
        'tgicli bench compare') at='tgicli bench compare' ;;
        'tgicli bench report') at='tgicli bench report' ;;
        'tgicli bench selftest') at='tgicli bench selftest' ;;
        'tgicli bench -c' | \
            'tgicli bench --concurrency' | \
            'tgicli bench --rate' | \
            'tgicli bench --arrival' | \
            'tgicli bench --burstiness' | \
            'tgicli bench --burst' | \
            'tgicli bench --ramp' | \
            'tgicli bench --max-in-flight' | \
            'tgicli bench --prompt-tokens' | \
            'tgicli bench --output-tokens' | \
            'tgicli bench --shared-prefix' | \
            'tgicli bench --duration' | \
            'tgicli bench --requests' | \
            'tgicli bench --repeat' | \
            'tgicli bench --seed' | \
            'tgicli bench --slo' | \
            'tgicli bench --vs' | \
            'tgicli bench -e' | \
            'tgicli bench --endpoint' | \
            'tgicli bench --api-key' | \
            'tgicli bench --api-key-command' | \
            'tgicli bench -H' | \
            'tgicli bench --header' | \
            'tgicli bench --retries' | \
            'tgicli bench --timeout' | \
            'tgicli bench --connect-timeout' | \
            'tgicli bench --first-token-timeout' | \
            'tgicli bench --token-timeout' | \
            'tgicli bench --ctx-size' | \
            'tgicli bench --threads' | \
            'tgicli bench --main-gpu' | \
            'tgicli bench --tensor-split' | \
            'tgicli bench --batch-size') is_value=yes ;;
        'tgicli bench --trace' | \
            'tgicli bench --dataset' | \
            'tgicli bench --vs-api-key-file' | \
            'tgicli bench -o' | \
            'tgicli bench --out' | \
            'tgicli bench --json' | \
            'tgicli bench --html' | \
            'tgicli bench --md' | \
            'tgicli bench --csv' | \
            'tgicli bench --records' | \
            'tgicli bench --api-key-file' | \
            'tgicli bench --lora') is_value=yes ;;
        'tgicli bench --warmup' | \
            'tgicli bench --gpu-layers') is_value=yes ;;
        'tgicli bench --api') is_value=yes ;;
        'tgicli bench -m' | \
            'tgicli bench --model') is_value=yes ;;
        'tgicli bench --flash-attn') is_value=yes ;;
        'tgicli bench --kv-type') is_value=yes ;;
        'tgicli bench --profile') is_value=yes ;;
        'tgicli bench run -c' | \
            'tgicli bench run --concurrency' | \
            'tgicli bench run --rate' | \
            'tgicli bench run --arrival' | \
            'tgicli bench run --burstiness' | \
            'tgicli bench run --burst' | \
            'tgicli bench run --ramp' | \
            'tgicli bench run --max-in-flight' | \
            'tgicli bench run --prompt-tokens' | \
            'tgicli bench run --output-tokens' | \
            'tgicli bench run --shared-prefix' | \
            'tgicli bench run --duration' | \
            'tgicli bench run --requests' | \
            'tgicli bench run --repeat' | \
            'tgicli bench run --seed' | \
            'tgicli bench run --slo' | \
            'tgicli bench run --vs' | \
            'tgicli bench run -e' | \
            'tgicli bench run --endpoint' | \
            'tgicli bench run --api-key' | \
            'tgicli bench run --api-key-command' | \
            'tgicli bench run -H' | \
            'tgicli bench run --header' | \
            'tgicli bench run --retries' | \
            'tgicli bench run --timeout' | \
            'tgicli bench run --connect-timeout' | \
            'tgicli bench run --first-token-timeout' | \
            'tgicli bench run --token-timeout' | \
            'tgicli bench run --ctx-size' | \
            'tgicli bench run --threads' | \
            'tgicli bench run --main-gpu' | \
            'tgicli bench run --tensor-split' | \
            'tgicli bench run --batch-size') is_value=yes ;;
        'tgicli bench run --trace' | \
            'tgicli bench run --dataset' | \
            'tgicli bench run --vs-api-key-file' | \
            'tgicli bench run -o' | \
            'tgicli bench run --out' | \
            'tgicli bench run --json' | \
            'tgicli bench run --html' | \
            'tgicli bench run --md' | \
            'tgicli bench run --csv' | \
            'tgicli bench run --records' | \
            'tgicli bench run --api-key-file' | \
            'tgicli bench run --lora') is_value=yes ;;
        'tgicli bench run --warmup' | \
            'tgicli bench run --gpu-layers') is_value=yes ;;
        'tgicli bench run --api') is_value=yes ;;
        'tgicli bench run -m' | \
            'tgicli bench run --model') is_value=yes ;;
        'tgicli bench run --flash-attn') is_value=yes ;;
        'tgicli bench run --kv-type') is_value=yes ;;
        'tgicli bench run --profile') is_value=yes ;;
        'tgicli bench compare --fail-on') is_value=yes ;;
        'tgicli bench compare --profile') is_value=yes ;;
        'tgicli bench report --html' | \
            'tgicli bench report --md' | \
            'tgicli bench report --csv' | \
            'tgicli bench report -o' | \
            'tgicli bench report --out' | \
            'tgicli bench report --json') is_value=yes ;;
        'tgicli bench report --profile') is_value=yes ;;
        'tgicli bench selftest --profile') is_value=yes ;;
        'tgicli models list') at='tgicli models list' ;;
        'tgicli models pull') at='tgicli models pull' ;;
        'tgicli models info') at='tgicli models info' ;;
        'tgicli models --profile') is_value=yes ;;
        'tgicli models list --profile') is_value=yes ;;
        'tgicli models pull --profile') is_value=yes ;;
        'tgicli models info --profile') is_value=yes ;;
        'tgicli config path') at='tgicli config path' ;;
        'tgicli config profiles') at='tgicli config profiles' ;;
        'tgicli config --profile') is_value=yes ;;
        'tgicli config path --profile') is_value=yes ;;
        'tgicli config profiles --profile') is_value=yes ;;
        'tgicli doctor --max-batch-size' | \
            'tgicli doctor --ctx-size' | \
            'tgicli doctor --threads' | \
            'tgicli doctor --main-gpu' | \
            'tgicli doctor --tensor-split' | \
            'tgicli doctor --batch-size') is_value=yes ;;
        'tgicli doctor -m' | \
            'tgicli doctor --model') is_value=yes ;;
        'tgicli doctor --gpu-layers') is_value=yes ;;
        'tgicli doctor --flash-attn') is_value=yes ;;
        'tgicli doctor --kv-type') is_value=yes ;;
        'tgicli doctor --lora') is_value=yes ;;
        'tgicli doctor --profile') is_value=yes ;;
        'tgicli completion --profile') is_value=yes ;;
        esac
    done
    case "$at $prev" in
        'tgicli --profile') words='' files='' names='config profiles --names' ;;
        'tgicli generate -f' | \
            'tgicli generate --file' | \
            'tgicli generate --schema' | \
            'tgicli generate --gbnf' | \
            'tgicli generate --api-key-file' | \
            'tgicli generate --input' | \
            'tgicli generate -o' | \
            'tgicli generate --output' | \
            'tgicli generate --lora') words='' files='yes' ;;
        'tgicli generate -s' | \
            'tgicli generate --system' | \
            'tgicli generate --truncate' | \
            'tgicli generate --max-new-tokens' | \
            'tgicli generate --temperature' | \
            'tgicli generate --top-k' | \
            'tgicli generate --top-p' | \
            'tgicli generate --typical-p' | \
            'tgicli generate --min-p' | \
            'tgicli generate --repetition-penalty' | \
            'tgicli generate --frequency-penalty' | \
            'tgicli generate --presence-penalty' | \
            'tgicli generate --stop' | \
            'tgicli generate --seed' | \
            'tgicli generate --regex' | \
            'tgicli generate --best-of' | \
            'tgicli generate --top-n-tokens' | \
            'tgicli generate -e' | \
            'tgicli generate --endpoint' | \
            'tgicli generate --api-key' | \
            'tgicli generate --api-key-command' | \
            'tgicli generate -H' | \
            'tgicli generate --header' | \
            'tgicli generate --retries' | \
            'tgicli generate --timeout' | \
            'tgicli generate --connect-timeout' | \
            'tgicli generate --first-token-timeout' | \
            'tgicli generate --token-timeout' | \
            'tgicli generate --concurrency' | \
            'tgicli generate --give-up-after' | \
            'tgicli generate --ctx-size' | \
            'tgicli generate --threads' | \
            'tgicli generate --main-gpu' | \
            'tgicli generate --tensor-split' | \
            'tgicli generate --batch-size') words='' files='' ;;
        'tgicli generate --reasoning') words='show hide stdout' files='' ;;
        'tgicli generate --api') words='tgi openai-chat openai-completions' files='' ;;
        'tgicli generate --input-format') words='auto jsonl text' files='' ;;
        'tgicli generate -m' | \
            'tgicli generate --model') words='' files='yes' names='models list --names' ;;
        'tgicli generate --gpu-layers') words='auto' files='' ;;
        'tgicli generate --flash-attn') words='auto on off' files='' ;;
        'tgicli generate --kv-type') words='f32 f16 bf16 q8_0 q4_0' files='' ;;
        'tgicli generate --profile') words='' files='' names='config profiles --names' ;;
        'tgicli chat -s' | \
            'tgicli chat --system' | \
            'tgicli chat --max-new-tokens' | \
            'tgicli chat --temperature' | \
            'tgicli chat --top-k' | \
            'tgicli chat --top-p' | \
            'tgicli chat --typical-p' | \
            'tgicli chat --min-p' | \
            'tgicli chat --repetition-penalty' | \
            'tgicli chat --frequency-penalty' | \
            'tgicli chat --presence-penalty' | \
            'tgicli chat --stop' | \
            'tgicli chat --seed' | \
            'tgicli chat -e' | \
            'tgicli chat --endpoint' | \
            'tgicli chat --api-key' | \
            'tgicli chat --api-key-command' | \
            'tgicli chat -H' | \
            'tgicli chat --header' | \
            'tgicli chat --retries' | \
            'tgicli chat --timeout' | \
            'tgicli chat --connect-timeout' | \
            'tgicli chat --first-token-timeout' | \
            'tgicli chat --token-timeout' | \
            'tgicli chat --ctx-size' | \
            'tgicli chat --threads' | \
            'tgicli chat --main-gpu' | \
            'tgicli chat --tensor-split' | \
            'tgicli chat --batch-size') words='' files='' ;;
        'tgicli chat --load' | \
            'tgicli chat --api-key-file' | \
            'tgicli chat --lora') words='' files='yes' ;;
        'tgicli chat --reasoning') words='show hide stdout' files='' ;;
        'tgicli chat --api') words='tgi openai-chat openai-completions' files='' ;;
        'tgicli chat -m' | \
            'tgicli chat --model') words='' files='yes' names='models list --names' ;;
        'tgicli chat --gpu-layers') words='auto' files='' ;;
        'tgicli chat --flash-attn') words='auto on off' files='' ;;
        'tgicli chat --kv-type') words='f32 f16 bf16 q8_0 q4_0' files='' ;;
        'tgicli chat --profile') words='' files='' names='config profiles --names' ;;
        'tgicli serve --hostname' | \
            'tgicli serve -p' | \
            'tgicli serve --port' | \
            'tgicli serve --max-concurrent-requests' | \
            'tgicli serve --max-batch-size' | \
            'tgicli serve --cache-ram' | \
            'tgicli serve --max-total-tokens' | \
            'tgicli serve --max-input-tokens' | \
            'tgicli serve --max-batch-prefill-tokens' | \
            'tgicli serve --max-queue-wait' | \
            'tgicli serve --payload-limit' | \
            'tgicli serve --max-best-of' | \
            'tgicli serve --max-stop-sequences' | \
            'tgicli serve --max-top-n-tokens' | \
            'tgicli serve --max-client-batch-size' | \
            'tgicli serve --shutdown-timeout' | \
            'tgicli serve --stall-timeout' | \
            'tgicli serve --api-key' | \
            'tgicli serve --cors-allow-origin' | \
            'tgicli serve --connect' | \
            'tgicli serve --connect-model' | \
            'tgicli serve --connect-key' | \
            'tgicli serve --ctx-size' | \
            'tgicli serve --threads' | \
            'tgicli serve --main-gpu' | \
            'tgicli serve --tensor-split' | \
            'tgicli serve --batch-size' | \
            'tgicli serve --lora-adapters') words='' files='' ;;
        'tgicli serve --uds' | \
            'tgicli serve --ssl-certfile' | \
            'tgicli serve --ssl-keyfile' | \
            'tgicli serve --api-key-file' | \
            'tgicli serve --connect-key-file' | \
            'tgicli serve --lora') words='' files='yes' ;;
        'tgicli serve --connect-api') words='tgi openai-chat openai-completions' files='' ;;
        'tgicli serve -m' | \
            'tgicli serve --model') words='' files='yes' names='models list --names' ;;
        'tgicli serve --gpu-layers') words='auto' files='' ;;
        'tgicli serve --flash-attn') words='auto on off' files='' ;;
        'tgicli serve --kv-type') words='f32 f16 bf16 q8_0 q4_0' files='' ;;
        'tgicli serve --profile') words='' files='' names='config profiles --names' ;;
        'tgicli bench -c' | \
            'tgicli bench --concurrency' | \
            'tgicli bench --rate' | \
            'tgicli bench --arrival' | \
            'tgicli bench --burstiness' | \
            'tgicli bench --burst' | \
            'tgicli bench --ramp' | \
            'tgicli bench --max-in-flight' | \
            'tgicli bench --prompt-tokens' | \
            'tgicli bench --output-tokens' | \
            'tgicli bench --shared-prefix' | \
            'tgicli bench --duration' | \
            'tgicli bench --requests' | \
            'tgicli bench --repeat' | \
            'tgicli bench --seed' | \
            'tgicli bench --slo' | \
            'tgicli bench --vs' | \
            'tgicli bench -e' | \
            'tgicli bench --endpoint' | \
            'tgicli bench --api-key' | \
            'tgicli bench --api-key-command' | \
            'tgicli bench -H' | \
            'tgicli bench --header' | \
            'tgicli bench --retries' | \
            'tgicli bench --timeout' | \
            'tgicli bench --connect-timeout' | \
            'tgicli bench --first-token-timeout' | \
            'tgicli bench --token-timeout' | \
            'tgicli bench --ctx-size' | \
            'tgicli bench --threads' | \
            'tgicli bench --main-gpu' | \
            'tgicli bench --tensor-split' | \
            'tgicli bench --batch-size') words='' files='' ;;
        'tgicli bench --trace' | \
            'tgicli bench --dataset' | \
            'tgicli bench --vs-api-key-file' | \
            'tgicli bench -o' | \
            'tgicli bench --out' | \
            'tgicli bench --json' | \
            'tgicli bench --html' | \
            'tgicli bench --md' | \
            'tgicli bench --csv' | \
            'tgicli bench --records' | \
            'tgicli bench --api-key-file' | \
            'tgicli bench --lora') words='' files='yes' ;;
        'tgicli bench --warmup' | \
            'tgicli bench --gpu-layers') words='auto' files='' ;;
        'tgicli bench --api') words='tgi openai-chat openai-completions' files='' ;;
        'tgicli bench -m' | \
            'tgicli bench --model') words='' files='yes' names='models list --names' ;;
        'tgicli bench --flash-attn') words='auto on off' files='' ;;
        'tgicli bench --kv-type') words='f32 f16 bf16 q8_0 q4_0' files='' ;;
        'tgicli bench --profile') words='' files='' names='config profiles --names' ;;
        'tgicli bench run -c' | \
            'tgicli bench run --concurrency' | \
            'tgicli bench run --rate' | \
            'tgicli bench run --arrival' | \
            'tgicli bench run --burstiness' | \
            'tgicli bench run --burst' | \
            'tgicli bench run --ramp' | \
            'tgicli bench run --max-in-flight' | \
            'tgicli bench run --prompt-tokens' | \
            'tgicli bench run --output-tokens' | \
            'tgicli bench run --shared-prefix' | \
            'tgicli bench run --duration' | \
            'tgicli bench run --requests' | \
            'tgicli bench run --repeat' | \
            'tgicli bench run --seed' | \
            'tgicli bench run --slo' | \
            'tgicli bench run --vs' | \
            'tgicli bench run -e' | \
            'tgicli bench run --endpoint' | \
            'tgicli bench run --api-key' | \
            'tgicli bench run --api-key-command' | \
            'tgicli bench run -H' | \
            'tgicli bench run --header' | \
            'tgicli bench run --retries' | \
            'tgicli bench run --timeout' | \
            'tgicli bench run --connect-timeout' | \
            'tgicli bench run --first-token-timeout' | \
            'tgicli bench run --token-timeout' | \
            'tgicli bench run --ctx-size' | \
            'tgicli bench run --threads' | \
            'tgicli bench run --main-gpu' | \
            'tgicli bench run --tensor-split' | \
            'tgicli bench run --batch-size') words='' files='' ;;
        'tgicli bench run --trace' | \
            'tgicli bench run --dataset' | \
            'tgicli bench run --vs-api-key-file' | \
            'tgicli bench run -o' | \
            'tgicli bench run --out' | \
            'tgicli bench run --json' | \
            'tgicli bench run --html' | \
            'tgicli bench run --md' | \
            'tgicli bench run --csv' | \
            'tgicli bench run --records' | \
            'tgicli bench run --api-key-file' | \
            'tgicli bench run --lora') words='' files='yes' ;;
        'tgicli bench run --warmup' | \
            'tgicli bench run --gpu-layers') words='auto' files='' ;;
        'tgicli bench run --api') words='tgi openai-chat openai-completions' files='' ;;
        'tgicli bench run -m' | \
            'tgicli bench run --model') words='' files='yes' names='models list --names' ;;
        'tgicli bench run --flash-attn') words='auto on off' files='' ;;
        'tgicli bench run --kv-type') words='f32 f16 bf16 q8_0 q4_0' files='' ;;
        'tgicli bench run --profile') words='' files='' names='config profiles --names' ;;
        'tgicli bench compare --fail-on') words='' files='' ;;
        'tgicli bench compare --profile') words='' files='' names='config profiles --names' ;;
        'tgicli bench report --html' | \
            'tgicli bench report --md' | \
            'tgicli bench report --csv' | \
            'tgicli bench report -o' | \
            'tgicli bench report --out' | \
            'tgicli bench report --json') words='' files='yes' ;;
        'tgicli bench report --profile') words='' files='' names='config profiles --names' ;;
        'tgicli bench selftest --profile') words='' files='' names='config profiles --names' ;;
        'tgicli models --profile') words='' files='' names='config profiles --names' ;;
        'tgicli models list --profile') words='' files='' names='config profiles --names' ;;
        'tgicli models pull --profile') words='' files='' names='config profiles --names' ;;
        'tgicli models info --profile') words='' files='' names='config profiles --names' ;;
        'tgicli config --profile') words='' files='' names='config profiles --names' ;;
        'tgicli config path --profile') words='' files='' names='config profiles --names' ;;
        'tgicli config profiles --profile') words='' files='' names='config profiles --names' ;;
        'tgicli doctor --max-batch-size' | \
            'tgicli doctor --ctx-size' | \
            'tgicli doctor --threads' | \
            'tgicli doctor --main-gpu' | \
            'tgicli doctor --tensor-split' | \
            'tgicli doctor --batch-size') words='' files='' ;;
        'tgicli doctor -m' | \
            'tgicli doctor --model') words='' files='yes' names='models list --names' ;;
        'tgicli doctor --gpu-layers') words='auto' files='' ;;
        'tgicli doctor --flash-attn') words='auto on off' files='' ;;
        'tgicli doctor --kv-type') words='f32 f16 bf16 q8_0 q4_0' files='' ;;
        'tgicli doctor --lora') words='' files='yes' ;;
        'tgicli doctor --profile') words='' files='' names='config profiles --names' ;;
        'tgicli completion --profile') words='' files='' names='config profiles --names' ;;
        *)
            [[ $cur == -* ]] && at+=' -'
            case $at in
                'tgicli -') words='--version --traceback --profile -h --help' ;;
                'tgicli') words='generate chat serve bench models config doctor completion' files='' ;;
                'tgicli generate -') words='-f --file --stdin --no-stdin -s --system --chat --no-chat --truncate --max-new-tokens --temperature --top-k --top-p --typical-p --min-p --repetition-penalty --frequency-penalty --presence-penalty --stop --seed --schema --regex --gbnf --best-of --raw --plain --json --stream --no-stream --details --top-n-tokens --special --reasoning --stats --dry-run -q --quiet --server --no-server -e --endpoint --api --api-key --api-key-file --api-key-command -H --header --retries --timeout --connect-timeout --first-token-timeout --token-timeout --input -o --output --concurrency --input-format --as-completed --redo-changed --restart --fail-fast --give-up-after -m --model --offline --ctx-size --threads --gpu-layers --main-gpu --tensor-split --flash-attn --kv-type --batch-size --lora --mmap --no-mmap --mlock --prefix-reuse --no-prefix-reuse --traceback --profile -h --help' ;;
                'tgicli generate') words='' files='' ;;
                'tgicli chat -') words='-s --system --load --history --no-history --max-new-tokens --temperature --top-k --top-p --typical-p --min-p --repetition-penalty --frequency-penalty --presence-penalty --stop --seed --plain --reasoning --stats -q --quiet --server --no-server -e --endpoint --api --api-key --api-key-file --api-key-command -H --header --retries --timeout --connect-timeout --first-token-timeout --token-timeout -m --model --offline --ctx-size --threads --gpu-layers --main-gpu --tensor-split --flash-attn --kv-type --batch-size --lora --mmap --no-mmap --mlock --prefix-reuse --no-prefix-reuse --traceback --profile -h --help' ;;
                'tgicli chat') words='' files='' ;;
                'tgicli serve -') words='--hostname -p --port --uds --ssl-certfile --ssl-keyfile --max-concurrent-requests --max-batch-size --cache-ram --max-total-tokens --max-input-tokens --max-batch-prefill-tokens --max-queue-wait --payload-limit --max-best-of --max-stop-sequences --max-top-n-tokens --max-client-batch-size --grammar-support --no-grammar-support --shutdown-timeout --stall-timeout --json-output --live --no-live -q --quiet --api-key --api-key-file --isolate-keys --cors-allow-origin --connect --connect-api --connect-model --connect-key --connect-key-file -m --model --offline --ctx-size --threads --gpu-layers --main-gpu --tensor-split --flash-attn --kv-type --batch-size --lora --mmap --no-mmap --mlock --prefix-reuse --no-prefix-reuse --lora-adapters --traceback --profile -h --help' ;;
                'tgicli serve') words='' files='' ;;
                'tgicli bench -') words='-c --concurrency --rate --arrival --burstiness --burst --ramp --trace --sweep --max-in-flight --prompt-tokens --output-tokens --shared-prefix --dataset --chat --no-chat --ignore-eos --no-ignore-eos --duration --requests --warmup --repeat --seed --floor --no-floor --llama-bench-rows --slo --find-max --strict --check --vs --vs-api-key-file --noise --stream-vs-full -o --out --json --html --md --csv --records --live --no-live -q --quiet -e --endpoint --api --api-key --api-key-file --api-key-command -H --header --retries --timeout --connect-timeout --first-token-timeout --token-timeout -m --model --offline --ctx-size --threads --gpu-layers --main-gpu --tensor-split --flash-attn --kv-type --batch-size --lora --mmap --no-mmap --mlock --prefix-reuse --no-prefix-reuse --traceback --profile -h --help' ;;
                'tgicli bench') words='run compare report selftest' files='' ;;
                'tgicli bench run -') words='-c --concurrency --rate --arrival --burstiness --burst --ramp --trace --sweep --max-in-flight --prompt-tokens --output-tokens --shared-prefix --dataset --chat --no-chat --ignore-eos --no-ignore-eos --duration --requests --warmup --repeat --seed --floor --no-floor --llama-bench-rows --slo --find-max --strict --check --vs --vs-api-key-file --noise --stream-vs-full -o --out --json --html --md --csv --records --live --no-live -q --quiet -e --endpoint --api --api-key --api-key-file --api-key-command -H --header --retries --timeout --connect-timeout --first-token-timeout --token-timeout -m --model --offline --ctx-size --threads --gpu-layers --main-gpu --tensor-split --flash-attn --kv-type --batch-size --lora --mmap --no-mmap --mlock --prefix-reuse --no-prefix-reuse --traceback --profile -h --help' ;;
                'tgicli bench run') words='' files='' ;;
                'tgicli bench compare -') words='--fail-on --strict --allow-differences --traceback --profile -h --help' ;;
                'tgicli bench compare') words='' files='yes' ;;
                'tgicli bench report -') words='--html --md --csv -o --out --json --traceback --profile -h --help' ;;
                'tgicli bench report') words='' files='yes' ;;
                'tgicli bench selftest -') words='--traceback --profile -h --help' ;;
                'tgicli bench selftest') words='' files='' ;;
                'tgicli models -') words='--traceback --profile -h --help' ;;
                'tgicli models') words='list pull info' files='' ;;
                'tgicli models list -') words='--json --names --traceback --profile -h --help' ;;
                'tgicli models list') words='' files='' ;;
                'tgicli models pull -') words='--traceback --profile -h --help' ;;
                'tgicli models pull') words='' files='' names='models list --names' ;;
                'tgicli models info -') words='--json --template --traceback --profile -h --help' ;;
                'tgicli models info') words='' files='' names='models list --names' ;;
                'tgicli config -') words='--json --traceback --profile -h --help' ;;
                'tgicli config') words='path profiles' files='' ;;
                'tgicli config path -') words='--traceback --profile -h --help' ;;
                'tgicli config path') words='' files='' ;;
                'tgicli config profiles -') words='--json --names --traceback --profile -h --help' ;;
                'tgicli config profiles') words='' files='' ;;
                'tgicli doctor -') words='--json --max-batch-size -m --model --offline --ctx-size --threads --gpu-layers --main-gpu --tensor-split --flash-attn --kv-type --batch-size --lora --mmap --no-mmap --mlock --prefix-reuse --no-prefix-reuse --traceback --profile -h --help' ;;
                'tgicli doctor') words='' files='yes' names='models list --names' ;;
                'tgicli completion -') words='--traceback --profile -h --help' ;;
                'tgicli completion') words='bash zsh fish' files='' ;;
            esac
            ;;
    esac
    # Where nothing matches, readline completes file names, unless it is told not to.
    [[ $files ]] || compopt +o default 2>/dev/null
    COMPREPLY=($(compgen -W "$words" -- "$head$cur"))
    # A name may be a stranger's: compgen would expand a $(...) in it.
    [[ $names ]] && while IFS= read -r word; do
        [[ $word == "$head$cur"* ]] && COMPREPLY+=("$(printf %q "$word")")
    done < <("${COMP_WORDS[0]}" $names 2>/dev/null)
    COMPREPLY=("${COMPREPLY[@]#"$head"}")
}
complete -o default -F _tgicli tgicli
