#include "cli/commands.h"

#include <array>

namespace plm::cli {

std::span<const CommandEntry> all_commands() {
  static constexpr std::array kCommands = {
      CommandEntry{"run", "continue a prompt; the continuation alone goes to stdout",
                   "  plm run -p \"Once upon a time\"\n"
                   "  plm run -m model.gguf -f prompt.txt -n 100 --temp 0\n"
                   "  plm run -p \"A list:\" -n -1 --context-shift | head -3\n",
                   make_run_command},
      CommandEntry{"chat", "a conversation, with the model's own chat template",
                   "  plm chat -m model.gguf -sys \"Answer in one sentence.\"\n"
                   "  plm chat -p \"What is a dog?\" --single-turn\n"
                   "  plm chat --context-shift < questions.txt\n"
                   "In the conversation /help lists what can be done; Ctrl-C stops an answer.\n",
                   make_chat_command},
      CommandEntry{
          "serve", "the OpenAI API and Ollama's over HTTP, for many clients at once",
          "  plm serve -m model.gguf                    # http://127.0.0.1:8080/v1\n"
          "  plm serve -m model.gguf -np 8 -c 4096 --host 0.0.0.0 --api-key SECRET\n"
          "  curl http://127.0.0.1:8080/v1/completions -d '{\"prompt\": \"Once\", \"max_tokens\": 20}'\n"
          "SIGTERM and Ctrl-C let those who were accepted finish.\n",
          make_serve_command},
      CommandEntry{"score", "log-probability of each token of a text, as a line of JSON",
                   "  plm score --text \"Once upon a time\"\n"
                   "  plm score --ids \"1 2 3\" --logits-out logits.safetensors\n"
                   "The line: {\"ids\":[..],\"logprobs\":[null,..],\"greedy\":[..]}; logprobs[i] is that of "
                   "ids[i] given\n"
                   "those before it, greedy[i] the most likely token after ids[0..i].\n",
                   make_score_command},
      CommandEntry{"perplexity", "how well a model predicts a text; how far it is from another",
                   "  plm perplexity -m model.gguf -f book.txt -c 512\n"
                   "  plm perplexity -m f16.gguf -f book.txt --kl-divergence-base base.kld\n"
                   "  plm perplexity -m q4_0.gguf --kl-divergence-base base.kld --kl-divergence\n",
                   make_perplexity_command},
      CommandEntry{"tokenize", "text to token ids",
                   "  plm tokenize --text \"Hello, world!\"\n"
                   "  plm tokenize -m model.gguf -f book.txt --json\n",
                   make_tokenize_command},
      CommandEntry{"detokenize", "token ids to text",
                   "  plm detokenize --ids \"9707 11 1879\"\n"
                   "  plm tokenize -f book.txt | plm detokenize -f -\n",
                   make_detokenize_command},
      CommandEntry{"inspect", "what is in a GGUF file, what of it a text uses, how two files differ",
                   "  plm inspect model.gguf\n"
                   "  plm inspect --json model.gguf | jq .parameters\n"
                   "  plm inspect model.gguf --text book.txt -c 512\n"
                   "  plm inspect model.gguf --text book.txt --sweep --plot curve.svg\n"
                   "  plm inspect --diff a.gguf b.gguf\n"
                   "--diff exits with 0 when the files are equal, 1 when they differ, 2 when they cannot be "
                   "compared.\n",
                   make_inspect_command},
      CommandEntry{"quantize", "a model in fewer bits, from a GGUF file",
                   "  plm quantize model-f16.gguf model-q4_k_m.gguf Q4_K_M\n"
                   "  plm quantize model-f16.gguf model-q4_0.gguf Q4_0 --imatrix imatrix.gguf\n"
                   "  plm quantize --dry-run model-f16.gguf Q5_K_M --tensor-type ffn_down=Q8_0\n",
                   make_quantize_command},
      CommandEntry{"imatrix", "which inputs of each matrix matter, from a text: for quantize",
                   "  plm imatrix -m model-f16.gguf -f text.txt -o imatrix.gguf\n"
                   "  plm imatrix --in-file one.gguf --in-file two.gguf -o both.gguf\n",
                   make_imatrix_command},
      CommandEntry{
          "convert", "a Hugging Face folder to a GGUF file, and back",
          "  plm convert PLM-1.8B-Instruct plm-f16.gguf --outtype f16\n"
          "  plm convert PLM-1.8B-Instruct plm-q8_0.gguf --outtype q8_0\n"
          "  plm convert plm-f16.gguf plm-folder\n"
          "Without --outtype the weights keep their type, and the way there and back loses nothing.\n",
          make_convert_command},
      CommandEntry{"export-lora", "merge LoRA adapters into a model",
                   "  plm export-lora -m model-f16.gguf --lora adapter.gguf -o merged-f16.gguf\n"
                   "  plm export-lora -m model-f16.gguf --lora-scaled peft-folder 0.5 -o merged.gguf "
                   "--outtype q8_0\n"
                   "Without --outtype every tensor keeps its type.\n",
                   make_export_lora_command},
      CommandEntry{"pull", "fetch a model from the Hugging Face hub; its path goes to stdout",
                   "  plm pull USER/REPO                    # Q4_K_M, else Q4_0, else the first model\n"
                   "  plm pull USER/REPO:Q8_0\n"
                   "  plm pull USER/REPO --include '*.json' --include '*.safetensors'\n"
                   "  plm run -hf USER/REPO:Q8_0 -p \"Once upon a time\"\n"
                   "The cache is huggingface_hub's (HF_HOME, HF_HUB_CACHE); HF_TOKEN, HF_ENDPOINT and\n"
                   "HF_HUB_OFFLINE mean what they mean there. What broke off is continued the next time.\n",
                   make_pull_command},
      CommandEntry{
          "prepare", "text to the token shards that training reads",
          "  plm prepare --tokenizer my-plm -o shards stories.txt more.jsonl.gz folder/\n"
          "  plm prepare --tokenizer my-plm -o shards --val-size 0.01 web=crawl/ books=books/\n"
          "  plm prepare --tokenizer my-plm -o shards --dataset c4_demo,wiki_demo --dataset-dir data\n"
          "Interrupted, the same command goes on where it stopped.\n",
          make_prepare_command},
      CommandEntry{"train-tokenizer", "a vocabulary of one's own: byte-level BPE, as Hugging Face files",
                   "  plm train-tokenizer --vocab-size 8192 -o my-plm stories.txt\n"
                   "  plm train-tokenizer --vocab-size 32000 -o my-plm --column content corpus/\n",
                   make_train_tokenizer_command},
      CommandEntry{"synth", "write a model of random weights in a real shape, for benchmarks",
                   "  plm synth --preset plm-1.8b --type Q4_0 --sparsity 0.9 plm-1.8b-q4_0.gguf\n"
                   "  plm synth --preset plm-tiny --type F16 --seed 7 tiny.gguf\n",
                   make_synth_command},
      CommandEntry{"bench", "tokens a second of prefill and decode, in llama-bench's columns",
                   "  plm bench -m model.gguf\n"
                   "  plm bench -m model.gguf -p 512,2048 -n 64 -d 0,4096 -r 3 -o json\n"
                   "  plm bench -m model.gguf -p 0 -n 64 --batch 1,2,4,8\n"
                   "  plm bench -m model.gguf --against llama.cpp\n"
                   "  plm bench --machine\n",
                   make_bench_command},
  };
  return kCommands;
}

}  // namespace plm::cli
