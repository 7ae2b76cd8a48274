// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {IAggregatorV3} from "./interfaces/IAggregatorV3.sol";
import {ISignedPriceFeed} from "./interfaces/ISignedPriceFeed.sol";
import {FixedMath} from "./libraries/FixedMath.sol";

/// @title SignedPriceFeed
/// @notice {documentation: ISignedPriceFeed}
contract SignedPriceFeed is ISignedPriceFeed, Ownable2Step, EIP712 {
    using FixedMath for int256;

    bytes32 private constant PRICE_REPORT_TYPEHASH = keccak256("PriceReport(int128 price,uint64 timestamp)");

    uint8 public immutable decimals;
    int256 public immutable MAX_ANSWER;
    string public description;

    /// @dev One slot, so that reading the feed reads once.
    int128 private _answer;
    uint64 private _updatedAt;
    uint64 private _roundId;

    mapping(address reporter => bool) public isReporter;

    constructor(address owner, uint8 decimals_, string memory description_)
        Ownable(owner)
        EIP712("perpkit feed", "1")
    {
        decimals = decimals_;
        description = description_;
        // Above 18 decimals the type is the nearer bound, and the oracle drops what it does not support.
        MAX_ANSWER = decimals_ <= 18 ? FixedMath.PRICE_MAX.divFloor(int256(10 ** (18 - decimals_))) : type(int128).max;
    }

    /// @inheritdoc ISignedPriceFeed
    function deliver(int128 price, uint64 timestamp, bytes calldata signature) external {
        if (price <= 0 || price > MAX_ANSWER) revert InvalidAnswer(price);
        if (timestamp <= _updatedAt) revert ReportNotNewer(timestamp, _updatedAt);
        if (timestamp > block.timestamp) revert ReportFromFuture(timestamp, block.timestamp);
        address signer = _recover(price, timestamp, signature);
        if (!isReporter[signer]) revert UnknownReporter(signer);
        _answer = price;
        _updatedAt = timestamp;
        emit AnswerUpdated(price, ++_roundId, timestamp);
    }

    /// @inheritdoc ISignedPriceFeed
    function setReporter(address reporter, bool allowed) external onlyOwner {
        isReporter[reporter] = allowed;
        emit ReporterSet(reporter, allowed);
    }

    /// @inheritdoc IAggregatorV3
    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return (_roundId, _answer, _updatedAt, _updatedAt, _roundId);
    }

    function _recover(int128 price, uint64 timestamp, bytes calldata signature) private view returns (address) {
        bytes32 message = keccak256(abi.encode(PRICE_REPORT_TYPEHASH, price, timestamp));
        (address signer, ECDSA.RecoverError failure,) = ECDSA.tryRecover(_hashTypedDataV4(message), signature);
        if (failure != ECDSA.RecoverError.NoError) revert InvalidReportSignature();
        return signer;
    }
}
